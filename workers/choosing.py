"""The recipe ``auto``: tries what corpus, pictures and time allow, and keeps what fits best.

Heads on features are there in seconds. Where labels are many enough for it, a network is also
trained from the beginning, and the two are averaged; how well each fits is told by the fold
networks, on images that they have not seen. Where heads alone were kept, the others are not tried
again until there are twice as many labels. Describing pictures and training share the minutes of a
Round: where describing alone, which is done once, takes more than half of them, training waits for
the next one.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from classifier import checkpoint
from classifier.backbone import SMALLEST_EDGE
from classifier.checkpoint import LoadedModel
from classifier.config import TrainConfig
from classifier.ensemble import EnsembleNetwork
from classifier.fitting import LEAST, fit_opinions
from classifier.model import RECIPES, build, configured
from classifier.predict import logits
from workers.lessons import (
    FEATURES,
    FEW_FOLD_NETWORKS,
    Choice,
    Networks,
    Task,
    network_path,
)
from workers.taught import TAUGHT

logger = logging.getLogger(__name__)
SCRATCH = "fast"
BOTH = f"{FEATURES}+{SCRATCH}"
ENOUGH_LABELS = 50  # a class; with fewer a network from the beginning only costs time
EPOCHS = 8  # of a network from the beginning, if there is time
MORE_LABELS = 2.0  # times those of the last trial, before there is another
CLEARLY = 0.01  # share of the misfit that a second network must take away to be worth its time
SECONDS_A_PICTURE = 0.02  # that describing one of SMALLEST_EDGE takes
Teach = Callable[[Task], Networks]


def choose(task: Task, *, heads: Teach, scratch: Teach) -> Networks:
    """The networks of what is kept: heads, a network from the beginning, or both as one."""
    wanted = _candidates(task)
    logger.info("auto: %s is tried", " and ".join(wanted))
    found: dict[str, Networks] = {}
    if wanted == (SCRATCH,):
        task.snapshot.check(networks=FEW_FOLD_NETWORKS)
    if FEATURES in wanted:
        found[FEATURES] = heads(_of(task, FEATURES))
    if SCRATCH in wanted:
        found[SCRATCH] = scratch(_of(task, SCRATCH, share=1 / len(wanted)))
    if len(found) == 1:
        (only,) = found.values()
        kept = task.tried and replace(task.tried, kept=next(iter(found)))
        return replace(only, choice=kept)
    return _kept(task, found)


def _candidates(task: Task) -> tuple[str, ...]:
    """The recipes that are worth a trial now."""
    labels, tried = int(task.snapshot.trainable.sum()), task.tried
    describing = _minutes_to_describe(task)
    if describing > 1:
        return (SCRATCH,)
    if labels < ENOUGH_LABELS * task.config.classes or describing > 1 / 2:
        return (FEATURES,)
    if tried is None or labels >= MORE_LABELS * tried.labels or tried.kept != FEATURES:
        return (FEATURES, SCRATCH)
    return (FEATURES,)


def _minutes_to_describe(task: Task) -> float:
    """Which share of the minutes that a Round may take describing the pictures needs."""
    edge = max(SMALLEST_EDGE, task.config.image_size)
    each = SECONDS_A_PICTURE * (edge / SMALLEST_EDGE) ** 2
    seconds = task.config.seconds
    if seconds is None:
        return 0.0
    return task.pictures.undescribed() * each / (seconds * (FEW_FOLD_NETWORKS + 1))


def _of(task: Task, recipe: str, *, share: float = 1.0) -> Task:
    """The task for one of the candidates, with a share of the minutes; its files lie beside the
    others'."""
    folder = task.folder / recipe
    folder.mkdir(exist_ok=True)
    old = task.config
    batch = RECIPES[recipe].batch_size
    steps = max(old.steps, round(EPOCHS * task.snapshot.trainable.sum() / batch))
    config = configured(
        recipe, classes=old.classes, image_size=old.image_size, channels=old.channels,
        steps=steps, seconds=old.seconds and share * old.seconds, enough=old.enough,
        augmentation=old.augmentation, seed=old.seed, threads=old.threads, device=old.device,
    )  # fmt: skip
    return replace(task, config=config, folder=folder)


def _kept(task: Task, found: dict[str, Networks]) -> Networks:
    """What fits best of the candidates and the two of them together."""
    use = task.snapshot.trainable
    targets = torch.from_numpy(task.snapshot.targets[use]).float()  # (n, K)
    said = torch.stack([_out_of_fold(task, networks) for networks in found.values()])
    count = max(len(networks.folds) for networks in found.values())
    groups = torch.from_numpy(task.snapshot.folds[use] % count)
    # Of each fold by the others, as the members themselves; the last one is of all.
    opinions = [fit_opinions(said[:, groups != n], targets[groups != n]) for n in range(count + 1)]
    each = torch.stack([opinions[int(group)] for group in groups])  # (n, 2)
    together = torch.einsum("nm,mnk->nk", each, said)
    alone = {name: _misfit(one, targets) for name, one in zip(found, said, strict=True)}
    misfit = alone | {BOTH: _misfit(together, targets)}
    best = min(alone, key=alone.__getitem__)
    kept = BOTH if misfit[BOTH] < (1 - CLEARLY) * misfit[best] else best
    choice = Choice(kept, len(targets), {name: round(value, 5) for name, value in misfit.items()})
    logger.info("auto: %s is kept, misfit %s", kept, choice.misfit)
    if kept != BOTH:
        return replace(found[kept], choice=choice)
    return replace(_together(task, found, opinions), choice=choice)


def _out_of_fold(task: Task, networks: Networks) -> Tensor:
    """(n, K) log-softmax of the trainable images, each by the network that has not seen it."""
    snapshot = task.snapshot
    use = np.flatnonzero(snapshot.trainable)
    said = np.zeros((len(use), task.config.classes), dtype=np.float32)
    folds = snapshot.folds[use] % len(networks.folds)
    for fold, model in enumerate(networks.folds):
        chosen = folds == fold
        if chosen.any():
            seen = task.pictures.seen_by(model.network, snapshot.images[use[chosen]])
            said[chosen] = logits(model.network, seen)
    return functional.log_softmax(torch.from_numpy(said), dim=1)


def _misfit(said: Tensor, targets: Tensor) -> float:
    """Mean nats an image, at its best temperature."""
    warmth = fit_opinions(said[None], targets)
    logs = functional.log_softmax(warmth * said, dim=1) + targets.clamp(min=LEAST).log()
    return float(-logs.logsumexp(dim=1).mean())


def _together(task: Task, found: dict[str, Networks], opinions: Sequence[Tensor]) -> Networks:
    """The ensembles: for each fold of the most folds, of members none of which has seen it, weighed
    by what the others tell; the last one, of all, serves.

    The folds of few networks are whole numbers of those of many: fold k of ten is in fold k mod 2
    of two.
    """
    folds = [
        [networks.folds[fold % len(networks.folds)] for networks in found.values()]
        for fold in range(len(opinions) - 1)
    ]
    served = [networks.served for networks in found.values()]
    config = replace(found[FEATURES].served.config, recipe=BOTH)
    made = [
        _joined(task, config, members, opinions[number], number)
        for number, members in enumerate([*folds, served])
    ]
    return Networks(made[:-1], made[-1], task.folder)


def _joined(
    task: Task, config: TrainConfig, members: Sequence[LoadedModel], opinion: Tensor, number: int
) -> LoadedModel:
    """One ensemble, saved."""
    network = build(config)
    if not isinstance(network, EnsembleNetwork):
        raise TypeError(f"recipe {config.recipe!r} is no ensemble")
    for place, member in zip(network.members.values(), members, strict=True):
        place.load_state_dict(member.network.state_dict())
    network.weigh(opinion)
    path = network_path(task.folder, number)
    card = task.card | {TAUGHT: [one for member in members for one in member.card[TAUGHT]]}
    checkpoint.save(path, network.eval(), config, card, alone=False)
    return checkpoint.load(path)
