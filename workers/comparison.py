"""What a new version is measured on: the holdout; while that is young, cross-validated Gold; where
that is little or none, cross-validated votes."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import F
from numpy.typing import NDArray

from classifier.checkpoint import BadCheckpoint
from labelhub.projects.models import Project
from labelhub.projects.services import HOLDOUT_ENOUGH
from labelhub.rounds.models import ModelVersion, Prediction
from labelhub.rounds.selectors import serving_version
from labelhub.votes.models import Vote
from workers.datasets import pictures_for
from workers.predicting import predict
from workers.snapshot import Snapshot

logger = logging.getLogger(__name__)
BATCH = 500
ENOUGH = 30  # images of which fewer tell hardly anything of a network
GOLD_LEAST = 10  # as many as a Round asks for: so few are known for certain, and the start of many

HOLDOUT = "holdout images"
GOLD = "Gold images, cross-validated"
VOTES = "images labelled by votes, cross-validated"
GOLD_AND_VOTES = "Gold images and images labelled by votes, cross-validated"

Predictor = Callable[[NDArray[np.int64]], NDArray[np.float32]]


@dataclass(frozen=True)
class Measure:
    """Which of n labelled images a version is measured on, and how a page calls them."""

    chosen: NDArray[np.bool_]  # (n,)
    words: str
    provisional: bool = True
    fewest: int = 1  # images without which it tells nothing


@dataclass(frozen=True)
class Comparison:
    """The same m images seen by the new version and by the one in service."""

    images: NDArray[np.int64]  # (m,) Image ids
    new: NDArray[np.float32]  # (m, K)
    old: NDArray[np.float32] | None  # (m, K); None when no version serves
    labels: NDArray[np.int64]  # (m,)
    served: NDArray[np.float32]  # (m, K) of the network to serve, which may have trained on them
    measured_on: str
    provisional: bool
    fewest: int = 1  # images that the comparison needs


def measure(snapshot: Snapshot) -> Measure:
    """The images whose truth counts: the settled holdout, else Gold, of which there are enough.

    Else what votes alone make likely (no network has a say in it, or it would be measured by its
    own word), together with the Gold there is: it is the surest of what is known, and alone so few
    images tell a good network from a bad one by luck. Labels that votes have wrong count against
    both networks alike, and people are asked about what is hard: both are better than it says.
    Where there is Gold enough, votes tell of the classes that have none. Of *none of these* only
    Gold and the holdout tell: many a "no" makes no label likely.
    """
    holdout = snapshot.holdout & snapshot.settled
    if holdout.sum() >= HOLDOUT_ENOUGH:
        return Measure(holdout, HOLDOUT, provisional=False)
    gold = snapshot.gold >= 0
    likely = snapshot.trainable & snapshot.likely & ~gold
    if gold.sum() >= ENOUGH or (gold.sum() >= GOLD_LEAST and not likely.any()):
        others = likely & ~np.isin(snapshot.labels, snapshot.labels[gold])
        return Measure(gold | others, GOLD_AND_VOTES if others.any() else GOLD)
    return Measure(
        gold | likely,
        GOLD_AND_VOTES if gold.any() else VOTES,
        fewest=1 if gold.sum() >= GOLD_LEAST else ENOUGH,
    )


def compare(
    *, project: Project, snapshot: Snapshot, served: Predictor, by_fold: Sequence[Predictor]
) -> Comparison:
    """Predict the images whose truth counts.

    The served network is measured on the settled holdout, which nothing trained on. Others were
    trained on, so there each image is seen by the fold network that did not: and the version in
    service by its own priors, for the same reason.
    """
    by = measure(snapshot)
    chosen, provisional = by.chosen, by.provisional
    if provisional and (version := serving_version(project=project)):
        fair = chosen & fair_to(version, snapshot)
        if fair.sum() >= ENOUGH or (snapshot.gold >= 0).sum() >= GOLD_LEAST:
            chosen = fair  # fewer would decide by luck, and no later vote makes them more
    images = snapshot.images[chosen]
    new = np.zeros((len(images), snapshot.targets.shape[1]), dtype=np.float32)
    if not provisional:
        new = served(images)
    else:
        for fold, predict in enumerate(by_fold):
            in_fold = snapshot.folds[chosen] % len(by_fold) == fold
            if in_fold.any():
                new[in_fold] = predict(images[in_fold])
    old, seen = in_service(project, images, column="prior" if provisional else "probabilities")
    kept = np.ones(len(images), dtype=bool) if old is None else seen
    return Comparison(
        images=images[kept],
        new=new[kept],
        old=old,
        labels=snapshot.labels[chosen][kept],
        served=served(images[kept]) if kept.any() else new[kept],
        measured_on=by.words,
        provisional=provisional,
        fewest=by.fewest,
    )


def told_before(version: ModelVersion, snapshot: Snapshot) -> NDArray[np.bool_]:
    """(n,) Gold, and images that votes told the class of before the version in service was taught.

    What was asked later was asked because of what that version says: a yes to the class it named
    makes a label that it is right on, and it is wrong on many that it was unsure of. Such images
    would hold a worse version in service, or turn a better one out.
    """
    told = Vote.objects.filter(
        project=version.project_id, id__lte=version.round.last_vote, answer=True
    )
    images = np.array(list(told.values_list("image_id", flat=True).distinct()), dtype=np.int64)
    return np.asarray((snapshot.gold >= 0) | np.isin(snapshot.images, images))


def fair_to(version: ModelVersion, snapshot: Snapshot) -> NDArray[np.bool_]:
    """(n,) what the version in service may be compared on: what was ``told_before`` it was taught,
    and all of the classes of which it was told nothing. By the few classes it knows, it would be
    better than any that knows more."""
    told = told_before(version, snapshot)
    known = np.unique(snapshot.labels[told & snapshot.likely])
    return np.asarray(told | ~np.isin(snapshot.labels, known))


def in_service(
    project: Project, images: NDArray[np.int64], *, column: str
) -> tuple[NDArray[np.float32] | None, NDArray[np.bool_]]:
    """What the version in service says of the images, and which of them it has seen.

    Those that came since its ranking are shown to its networks now: a version that serves is never
    taken for none. Raises BadCheckpoint when it has seen none of them and cannot.
    """
    version = serving_version(project=project)
    if version is None:
        return None, np.ones(len(images), dtype=bool)
    said = _predicted(version, images, column)
    unseen = images[[int(image) not in said for image in images]]
    if len(unseen):
        try:
            said |= _shown(version, unseen, column)
        except BadCheckpoint as error:
            if not said:
                raise
            logger.warning("%s is compared on %s images only: %s", version, len(said), error)
    seen = np.array([int(image) in said for image in images], dtype=bool)
    rows = [said[int(image)] for image in images[seen]]
    shape = (len(rows), len(version.label_classes))
    return np.array(rows, dtype=np.float32).reshape(shape), seen


def _predicted(
    version: ModelVersion, images: NDArray[np.int64], column: str
) -> dict[int, NDArray[np.float32]]:
    """By image, what the version's ranking has written of it.

    A prior that is the served network's, of an image that nobody had spoken of, is passed over: it
    learned from more than the fold networks did that the new version is measured by.
    """
    said: dict[int, NDArray[np.float32]] = {}
    for start in range(0, len(images), BATCH):
        part = images[start : start + BATCH].tolist()
        rows = Prediction.objects.filter(model_version=version, image_id__in=part)
        if column == "prior":
            rows = rows.exclude(prior=F("probabilities"))
        for image_id, stored in rows.values_list("image_id", column):
            said[image_id] = np.frombuffer(stored, dtype="<f4")
    return said


def _shown(
    version: ModelVersion, images: NDArray[np.int64], column: str
) -> dict[int, NDArray[np.float32]]:
    """By image, what the version's networks say of it; without those whose picture is lost."""
    pictures = pictures_for(version=version, images=images)
    kept = images[np.isin(images, pictures.ids)]
    if not len(kept):
        return {}
    ranked = predict(version=version, pictures=pictures, images=kept)
    said = ranked.priors if column == "prior" else ranked.served
    return dict(zip(kept.tolist(), said, strict=True))
