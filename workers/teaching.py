"""Trains the networks of one Round: one for each fold, which gives priors, and the one to serve.

A recipe with heads on features trains them all at once, in seconds; any other network by network,
each kept as it is finished.
"""

import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from classifier import checkpoint
from classifier.checkpoint import LoadedModel
from classifier.ensemble import members_of
from classifier.features import Describer
from classifier.heads import Lessons, train_heads
from classifier.recipes.features import FeatureNetwork
from classifier.train import Progress
from workers.choosing import choose
from workers.lessons import (
    AUTO,
    FEATURES,
    Networks,
    Shown,
    Task,
    fold_networks,
    network_path,
)
from workers.networks import trained
from workers.taught import TAUGHT, checksum

logger = logging.getLogger(__name__)


def teach(task: Task, *, recipe: str) -> Networks:
    """The networks of a Round, their files under the task's folder."""
    if recipe == AUTO:
        return choose(task, heads=_heads, scratch=_network_by_network)
    return _heads(task) if recipe == FEATURES else _network_by_network(task)


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
        chosen = use & (snapshot.folds % count != number)  # the last, which serves, was taught all
        card = task.card | {TAUGHT: [checksum(snapshot, chosen)]}
        checkpoint.save(path, network, config, card, alone=False)
        loaded.append(checkpoint.load(path))
    return Networks(loaded[:-1], loaded[-1], task.folder)


def _to_go_on_from(task: Task, describer: Describer) -> list[FeatureNetwork]:
    """The networks in service, where they read the same features and there is one a fold."""
    members = [one for network in task.in_service for one in members_of(network)]
    of_kind = [one for one in members if isinstance(one, FeatureNetwork)]
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
            card=task.card | {TAUGHT: [checksum(snapshot, chosen)]},
            pretrained=task.pretrained,
            on_progress=_reporter(task.shown, number, count + 1),
        )

    use = snapshot.trainable
    groups = snapshot.folds % count
    folds = [network(fold, use & (groups != fold)) for fold in range(count)]
    return Networks(folds, network(count, use), task.folder)


def _reporter(shown: Shown, number: int, networks: int) -> Callable[[Progress], None]:
    """Shows the progress of one of the networks, which are taken to need the same time."""

    def report(progress: Progress) -> None:
        done = (number + progress.done) / networks
        left = progress.seconds_left + (networks - 1 - number) * progress.seconds_in_all
        shown(
            {
                "stage": f"training network {number + 1} of {networks}",
                "fraction": round(done, 3),
                "loss": round(progress.loss, 4),
                "seconds_left": round(left),
            }
        )

    return report
