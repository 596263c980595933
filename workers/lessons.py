"""What a Round has to teach, and what comes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from classifier.checkpoint import LoadedModel
from classifier.config import TrainConfig
from workers.datasets import Pictures
from workers.snapshot import Snapshot

FEATURES, AUTO = "features", "auto"
FEATURE_RECIPES = (FEATURES, AUTO)  # that make features of the pictures, or may
# More networks give better priors, where they cost seconds.
FOLD_NETWORKS = {FEATURES: 10, AUTO: 10}
FEW_FOLD_NETWORKS = 2
Shown = Callable[[dict[str, object]], None]  # shows progress; what it raises ends the training


@dataclass(frozen=True)
class Choice:
    """Which of several recipes ``auto`` kept, and why: JSON types only.

    ``misfit`` is the mean of minus the log of the probability of what was said of an image by
    networks that had not seen it, in nats, by recipe. ``labels`` were known.
    """

    kept: str
    labels: int
    misfit: dict[str, float]


@dataclass(frozen=True)
class Task:
    """What a Round has to teach, from what, and where its networks are kept."""

    config: TrainConfig
    snapshot: Snapshot
    pictures: Pictures
    folder: Path
    card: dict[str, object]  # saved with each network
    shown: Shown
    in_service: Sequence[nn.Module] = ()  # the version's, as networks_in_service gives them
    pretrained: Path | None = None  # weights that networks start from
    tried: Choice | None = None  # of ``auto``: what the version before was chosen from


@dataclass(frozen=True)
class Networks:
    """The fold networks, by the fold they did not see, and the one to serve."""

    folds: list[LoadedModel]
    served: LoadedModel
    folder: Path  # where their files are
    choice: Choice | None = None  # of ``auto``


def fold_networks(recipe: str) -> int:
    """How many networks give the priors of a version of this recipe."""
    return FOLD_NETWORKS.get(recipe, FEW_FOLD_NETWORKS)


def network_path(folder: Path, number: int) -> Path:
    """Where a Round keeps its networks: the folds' from 0 on, then the served one."""
    return folder / f"network-{number}.safetensors"
