"""The unfinished training on disk: killed at any moment, it goes on where it was."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError, safe_open

from classifier.atomic import replace_file
from classifier.training_state import TrainingState

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingFile:
    """Where the state is kept (safetensors, so nothing in it is ever executed), and of which
    training it is (``TrainingSet.fingerprint``).
    """

    path: Path
    fingerprint: str

    def keep(self, state: TrainingState) -> None:
        """Replace the file by ``state`` in one step. Raises OSError when the disk refuses."""
        metadata = {"fingerprint": self.fingerprint, "notes": json.dumps(state.notes())}
        replace_file(self.path, safetensors.torch.save(state.tensors(), metadata))

    def bring_back(self, fresh: Callable[[], TrainingState]) -> TrainingState:
        """What is kept, if it is of this very training; else a ``fresh`` state.

        A file that is unreadable, of other data, another config or another release is no use: the
        training starts over, with a warning.
        """
        state = fresh()
        if not self.path.exists():
            return state
        try:
            with safe_open(self.path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            logger.warning("%s is unreadable, training starts over: %s", self.path, error)
            return state
        if metadata.get("fingerprint") != self.fingerprint:
            logger.warning("%s is of another training, this one starts over", self.path)
            return state
        try:
            state.restore(tensors, json.loads(metadata["notes"]))
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            logger.warning("%s is of another release, training starts over: %r", self.path, error)
            return fresh()
        logger.info("training goes on from step %s, kept in %s", state.step, self.path.name)
        return state

    def remove(self) -> None:
        """The training is finished; there is nothing left to resume."""
        self.path.unlink(missing_ok=True)
