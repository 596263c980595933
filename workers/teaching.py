"""Trains the networks of one Round: one for each fold, which gives priors, and the one to serve.

A recipe with heads on features trains them all at once, in seconds; any other network by network,
each kept as it is finished.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from classifier import checkpoint
from classifier.checkpoint import LoadedModel
from classifier.config import TrainConfig
from classifier.features import Describer
from classifier.heads import Lessons, train_heads
from classifier.recipes.features import FeatureNetwork
from classifier.train import Progress
from workers.datasets import Pictures
from workers.networks import trained
from workers.snapshot import Snapshot

logger = logging.getLogger(__name__)
FEATURE_RECIPES = ("features",)
FOLD_NETWORKS = {"features": 10}  # more networks give better priors, where they cost seconds
FEW_FOLD_NETWORKS = 2
Shown = Callable[[dict[str, object]], None]  # shows progress; what it raises ends the training


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


@dataclass(frozen=True)
class Networks:
    """The fold networks, by the fold they did not see, and the one to serve."""

    folds: list[LoadedModel]
    served: LoadedModel


def fold_networks(recipe: str) -> int:
    """How many networks give the priors of a version of this recipe."""
    return FOLD_NETWORKS.get(recipe, FEW_FOLD_NETWORKS)


def network_path(folder: Path, number: int) -> Path:
    """Where a Round keeps its networks: the folds' from 0 on, then the served one."""
    return folder / f"network-{number}.safetensors"


def teach(task: Task) -> Networks:
    """The networks of a Round, their files in the task's folder."""
    by = _heads if task.config.recipe in FEATURE_RECIPES else _network_by_network
    return by(task)


def _heads(task: Task) -> Networks:
    """Describe what was not described before, then fit every head."""

    def describing(share: float) -> None:
        task.shown({"stage": "describing the pictures", "fraction": round(0.9 * share, 3)})

    def fitting(share: float) -> None:
        task.shown({"stage": "fitting the heads", "fraction": round(0.9 + 0.1 * share, 3)})

    describer = task.pictures.describer()
    task.pictures.describe(describer, heard=describing)
    snapshot, config = task.snapshot, task.config
    use = snapshot.trainable
    count = fold_networks(config.recipe)
    lessons = Lessons(
        features=task.pictures.described(describer, snapshot.images[use]),
        targets=snapshot.targets[use],
        folds=snapshot.folds[use] % count,
    )
    folds, served = train_heads(
        config,
        lessons,
        folds=count,
        describer=describer,
        pool=task.pictures.pool(describer),
        earlier=_to_go_on_from(task, describer),
        on_progress=fitting,
    )
    loaded = []
    for number, network in enumerate([*folds, served]):
        path = network_path(task.folder, number)
        checkpoint.save(path, network, config, task.card, alone=False)
        loaded.append(checkpoint.load(path))
    return Networks(loaded[:-1], loaded[-1])


def _to_go_on_from(task: Task, describer: Describer) -> list[FeatureNetwork]:
    """The networks in service, where they read the same features and there is one a fold."""
    of_kind = [one for one in task.in_service if isinstance(one, FeatureNetwork)]
    alike = [one for one in of_kind if one.describer.name == describer.name]
    return alike if len(alike) == fold_networks(task.config.recipe) + 1 else []


def _network_by_network(task: Task) -> Networks:
    """One network for each fold, trained on the other folds, then the one to serve on all."""
    snapshot, config = task.snapshot, task.config
    count = fold_networks(config.recipe)

    def network(number: int, chosen: NDArray[np.bool_]) -> LoadedModel:
        return trained(
            config=config.with_seed(config.seed * (count + 1) + number),
            images=task.pictures.pixels_of(snapshot.images[chosen]),
            targets=snapshot.lessons[chosen],
            weights=snapshot.weights[chosen],
            path=network_path(task.folder, number),
            card=task.card,
            pretrained=task.pretrained,
            on_progress=_reporter(task.shown, number, count + 1),
        )

    use = snapshot.trainable
    groups = snapshot.folds % count
    folds = [network(fold, use & (groups != fold)) for fold in range(count)]
    return Networks(folds, network(count, use))


def _reporter(shown: Shown, number: int, networks: int) -> Callable[[Progress], None]:
    """Shows the progress of one of the networks, which are taken to need the same time."""

    def report(progress: Progress) -> None:
        done = (number + progress.done) / networks
        others = (networks - 1 - number) / max(1 - progress.done, 1e-9)
        left = progress.seconds_left * (1 + others) if progress.done < 1 else 0.0
        shown(
            {
                "stage": f"training network {number + 1} of {networks}",
                "fraction": round(done, 3),
                "loss": round(progress.loss, 4),
                "seconds_left": round(left),
            }
        )

    return report
