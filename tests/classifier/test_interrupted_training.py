"""A training that was stopped goes on to the weights that it would have had; of no use is what
another training, another release or nobody has left."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from safetensors import safe_open

from classifier.config import Augmentation
from classifier.train import Progress, train
from tests.classifier.pictures import bars, certain, small_config
from tests.classifier.trainings import same_weights, ticking

IMAGES, LABELS = bars(48)
TARGETS, WEIGHTS = certain(LABELS), np.ones(48)


def test_an_interrupted_training_ends_as_if_it_had_run_through(tmp_path: Path) -> None:
    config, file = small_config(steps=20, augmentation=Augmentation.outline()), tmp_path / "state"
    through: list[Progress] = []
    data = (config, IMAGES, TARGETS, WEIGHTS)
    straight = train(*data, on_progress=through.append, clock=ticking())
    seen: list[Progress] = []

    def lose_the_lease(progress: Progress) -> None:
        if progress.step == 13:
            raise TimeoutError("lease lost")
        seen.append(progress)

    with pytest.raises(TimeoutError, match="lease lost"):
        train(*data, on_progress=lose_the_lease, checkpoint=file, clock=ticking())
    assert file.exists()
    before = len(seen)
    resumed = train(*data, on_progress=seen.append, checkpoint=file, clock=ticking())
    assert same_weights(straight, resumed)
    assert seen[before].step == 13
    assert seen == through
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal
from pathlib import Path
from tests.classifier.test_interrupted_training import IMAGES, TARGETS, WEIGHTS, small_config, train

def killed(progress):
    if progress.step == 13:
        os.kill(os.getpid(), signal.SIGKILL)

data = small_config(steps=20), IMAGES, TARGETS, WEIGHTS
train(*data, on_progress=killed, checkpoint=Path("state"))
"""


def test_a_training_whose_process_is_killed_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    world = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    dead = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, env=world, check=False)
    assert dead.returncode == -signal.SIGKILL
    file, seen = tmp_path / "state", list[Progress]()
    data = (small_config(steps=20), IMAGES, TARGETS, WEIGHTS)
    resumed = train(*data, on_progress=seen.append, checkpoint=file)
    assert seen[0].step == 13  # the last one that was kept is the twelfth
    assert same_weights(train(*data), resumed)


def another_release(state: Path, **notes: object) -> None:
    """Rewrite what is kept of a training as a release with other fields would have."""
    with safe_open(state, framework="pt") as file:
        metadata = file.metadata()
    told = json.dumps(json.loads(metadata["notes"]) | notes)
    tensors = safetensors.torch.load(state.read_bytes())
    state.write_bytes(safetensors.torch.save(tensors, metadata | {"notes": told}))


@pytest.mark.parametrize("notes", [{"schedule": {"warmth": 3}}, {"schedule": None}])
def test_the_state_of_another_release_starts_the_training_over(
    tmp_path: Path, notes: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "state"

    def stop(progress: Progress) -> None:
        if progress.step == 5:
            raise TimeoutError

    data = (small_config(steps=6), IMAGES, TARGETS, WEIGHTS)
    with pytest.raises(TimeoutError):
        train(*data, on_progress=stop, checkpoint=file)
    another_release(file, **notes)
    assert same_weights(train(*data, checkpoint=file), train(*data))
    assert "of another release" in caplog.text


def test_the_state_of_another_training_is_not_resumed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "state"

    def stop(progress: Progress) -> None:
        if progress.step == 5:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        train(small_config(steps=6), IMAGES, TARGETS, WEIGHTS, on_progress=stop, checkpoint=file)
    resumed = train(small_config(steps=6, seed=1), IMAGES, TARGETS, WEIGHTS, checkpoint=file)
    assert same_weights(resumed, train(small_config(steps=6, seed=1), IMAGES, TARGETS, WEIGHTS))
    assert "of another training" in caplog.text


@pytest.mark.parametrize("garbage", [b"", b"\x80\x04cos\nsystem\n(S'exit'\ntR.", b"x" * 900])
def test_an_unreadable_state_starts_the_training_over(
    tmp_path: Path, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "state"
    file.write_bytes(garbage)
    network = train(small_config(steps=2), IMAGES, TARGETS, WEIGHTS, checkpoint=file)
    assert same_weights(network, train(small_config(steps=2), IMAGES, TARGETS, WEIGHTS))
    assert "unreadable" in caplog.text
