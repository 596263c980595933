"""Ranks images: predictions in bulk, then consensus and queues, shard by shard.

A shard can be repeated: every write replaces what the same version wrote before.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple

import numpy as np
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from numpy.typing import NDArray

from classifier.batches import disagreement, diverse_batch
from classifier.checkpoint import BadCheckpoint
from classifier.ensemble import members_of
from classifier.predict import logits, probabilities
from classifier.uncertainty import entropy
from labelhub.projects.models import Image, Project
from labelhub.rounds.acquisition import Acquisition
from labelhub.rounds.models import Candidate, ModelVersion, Prediction, RankingShard
from labelhub.rounds.queueing import CONTESTED, requeue
from labelhub.rounds.shards import finish_shard, give_back_shard, keep_shard, take_shard
from labelhub.votes.aggregation import evidence, weighed
from labelhub.votes.consensus import Basis, votes_of
from labelhub.votes.models import Vote
from labelhub.votes.parameters import first_parameters, latest_model
from labelhub.votes.services import refresh_consensus
from workers.datasets import Pictures, pictures_for
from workers.lease import LeaseKeeper
from workers.networks import load_network

logger = logging.getLogger(__name__)
SHARD_IMAGES = 4096
LEAST_BATCH, BATCH_SHARE, CANDIDATES_A_PLACE = 50, 0.05, 10  # of a shard, asked before the next
WRITE_IMAGES = 100  # a transaction of a few dozen milliseconds: answers come in between
ROUNDING = 1e-3  # that a row of single precision may miss the sum of one by


class BadPrediction(ValueError):
    """A network said what are no probabilities; the message names its file."""


@dataclass(frozen=True)
class Ranked:
    """n images as one ModelVersion sees them; K classes."""

    images: NDArray[np.int64]  # (n,)
    served: NDArray[np.float32]  # (n, K) of the network that serves
    priors: NDArray[np.float32]  # (n, K) of networks that did not train on the image
    entropies: NDArray[np.float64]  # (n,) of the priors, in nats
    scores: NDArray[np.float64]  # (n,) for an acquisition that looks at more than one belief


def shard_spans(*, project: Project) -> list[tuple[int, int]]:
    """(first, last) image ids of each shard of the project's active images."""
    ids = list(_active(project).order_by("pk").values_list("pk", flat=True))
    return [
        (ids[start], ids[min(start + SHARD_IMAGES, len(ids)) - 1])
        for start in range(0, len(ids), SHARD_IMAGES)
    ]


def rank_shard(*, shard_id: int, clock: Callable[[], datetime]) -> int:
    """Rank one shard; gives the number of images, 0 when there is nothing to do.

    What ends it is noted in the row and raised; others may try again.
    """
    shard = take_shard(shard_id=shard_id, now=clock())
    if shard is None:
        return 0
    try:
        with LeaseKeeper(partial(keep_shard, shard=shard), clock):
            ranked = _rank(shard, clock)
    except Exception as error:
        trouble = str(error) if isinstance(error, BadCheckpoint) else repr(error)
        give_back_shard(shard=shard, trouble=trouble)
        raise
    finish_shard(shard=shard, now=clock())
    logger.info("%s of %s: %s images ranked", shard, shard.model_version.project.slug, ranked)
    return ranked


def _rank(shard: RankingShard, clock: Callable[[], datetime]) -> int:
    """Rank the images that the shard spans."""
    version = shard.model_version
    span = _active(version.project).filter(pk__range=(shard.first_image, shard.last_image))
    images = np.array(list(span.order_by("pk").values_list("pk", flat=True)), dtype=np.int64)
    return sum(
        rank_images(version=version, images=part, clock=clock)
        for part in _parts(images, SHARD_IMAGES)
    )


def rank_images(
    *, version: ModelVersion, images: NDArray[np.int64], clock: Callable[[], datetime]
) -> int:
    """Predict images (n,), write the Predictions, and bring consensus and queues up to date."""
    pictures = pictures_for(version=version, images=images)
    kept = images[np.isin(images, pictures.ids)]
    if not len(kept):
        return 0
    ranked = predict(version=version, pictures=pictures, images=kept)
    model = first_parameters(project=version.project, now=clock())
    for part in _parts(np.arange(len(kept)), WRITE_IMAGES):
        write_predictions(version=version, ranked=ranked, part=part)
        priors = {
            int(ranked.images[row]): ranked.priors[row].astype("<f4").tobytes() for row in part
        }
        scores = {int(ranked.images[row]): float(ranked.scores[row]) for row in part}
        _believe(version, Basis(model, version.number, priors), scores, clock())
    return len(kept)


def _believe(
    version: ModelVersion, basis: Basis, scores: Mapping[int, float], now: datetime
) -> None:
    """Rest the consensus of a few images on new priors, and move them in the queues.

    A version that was replaced while its ranking ran is not heard any more.
    """
    with transaction.atomic():
        # Locked: a promotion or a rollback comes wholly before these rows or wholly after.
        serving = ModelVersion.objects.select_for_update(no_key=True).filter(serving=True)
        if serving.filter(pk=version.pk).first() is not None:
            batch = refresh_consensus(images=list(basis.priors), now=now, basis=basis)
            requeue(project=version.project, batch=batch, release=False, scores=scores)


def predict(*, version: ModelVersion, pictures: Pictures, images: NDArray[np.int64]) -> Ranked:
    """The served network's softmax, and a prior from networks that did not train on the image: the
    served one's where nobody has said anything yet, else its own fold's, and the average of all
    for the holdout."""
    networks = len(version.fold_sha256)
    about = [one for part in _parts(images, SHARD_IMAGES) for one in _about(version.project, part)]
    folds = np.array([one.fold for one in about]) % max(networks, 1)
    holdout = np.array([one.holdout for one in about])
    heard = np.array([one.heard for one in about])
    every = holdout | (version.project.acquisition == Acquisition.DISAGREEMENT)

    members = [_softmax(version, version.sha256, pictures, images)]
    for fold, sha256 in enumerate(version.fold_sha256):
        chosen = every | (heard & (folds == fold))
        members.append(np.zeros_like(members[0]))
        if chosen.any():
            members[-1][chosen] = _softmax(version, sha256, pictures, images[chosen])
    said = np.stack(members)  # (networks + 1, n, K)
    own = said[1 + folds, np.arange(len(images))] if networks else said[0]
    priors = np.where(heard[:, None], own, said[0])
    priors = np.where(holdout[:, None], said.mean(axis=0), priors).astype(np.float32)
    scores = _scores(version, pictures, images, said, priors)
    return Ranked(images, said[0], priors, entropy(priors), scores)


class _About(NamedTuple):
    """What decides which networks may speak of an image."""

    fold: int
    holdout: bool
    heard: bool  # Gold or anything else anybody ever said of it, also what was taken back


def _about(project: Project, images: NDArray[np.int64]) -> list[_About]:
    """Of each of the images (n,), which may be few that lie far apart."""
    said = Vote.objects.filter(image=OuterRef("pk"))
    rows = (
        Image.objects.filter(project=project, pk__in=images.tolist())
        .annotate(heard=Exists(said) | Q(gold__isnull=False) | Q(was_gold=True))
        .values_list("pk", "fold", "holdout", "heard")
    )
    known = {pk: _About(*rest) for pk, *rest in rows}
    return [known[int(image)] for image in images]


def _softmax(
    version: ModelVersion, sha256: str, pictures: Pictures, images: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(n, K) calibrated, of one of the version's networks. Raises BadPrediction."""
    network = load_network(project=version.project, sha256=sha256)
    said = logits(network, pictures.seen_by(network, images))
    if not np.isfinite(said).all():
        raise BadPrediction(f"network {sha256} says NaN or infinity of an image")
    p = probabilities(said, version.temperature)
    off = np.abs(p.sum(axis=1) - 1).max(initial=0.0)
    if not (off <= ROUNDING and p.min(initial=0.0) >= 0):  # NaN is not less than anything either
        raise BadPrediction(f"network {sha256} says what are no probabilities of an image")
    return p


def _scores(
    version: ModelVersion,
    pictures: Pictures,
    images: NDArray[np.int64],
    members: NDArray[np.float32],
    priors: NDArray[np.float32],
) -> NDArray[np.float64]:
    """(n,) for the acquisitions that look at more than one belief; else nothing."""
    acquisition = version.project.acquisition
    if acquisition == Acquisition.DISAGREEMENT:
        return disagreement(members)
    if acquisition == Acquisition.DIVERSE:
        return _places_in_batch(version, pictures, images, priors)
    return np.zeros(len(images))


def _places_in_batch(
    version: ModelVersion,
    pictures: Pictures,
    images: NDArray[np.int64],
    priors: NDArray[np.float32],
) -> NDArray[np.float64]:
    """(n,) 1 for the first of a diverse batch, less for each after it, 0 for all that are not in.

    Worth most is what votes and network together are least sure of, of what is still to be asked:
    Gold, what is settled, contested or in no queue would only take the places of others.
    """
    scores = np.zeros(len(images))
    waiting = Candidate.objects.filter(project=version.project, queue=Candidate.Queue.OPEN)
    span = {"image_id__gte": int(images.min()), "image_id__lte": int(images.max())}
    asked = waiting.filter(settled=False, priority__gt=CONTESTED, **span)
    ids = np.fromiter(asked.values_list("image_id", flat=True), dtype=np.int64)
    still = np.flatnonzero(np.isin(images, ids))
    if not len(still):
        return scores
    batch = max(LEAST_BATCH, int(len(images) * BATCH_SHARE))
    unsure = _left_over(version.project, images[still], priors[still])
    likely = np.argsort(-unsure, kind="stable")[: CANDIDATES_A_PLACE * batch]
    network = load_network(project=version.project, sha256=version.sha256)
    first, *_ = members_of(network)
    seen = pictures.read_by(first, images[still[likely]]).reshape(len(likely), -1)
    picked = diverse_batch(seen, unsure[likely], batch, seed=version.number)
    scores[still[likely[picked]]] = 1 - np.arange(len(picked)) / len(picked)
    return scores


def _left_over(
    project: Project, images: NDArray[np.int64], priors: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(n,) nats of doubt that the votes so far leave of the networks' (n, K) of queued images."""
    model = latest_model(project=project)
    if model is None:  # nobody can have voted
        return entropy(priors)
    left = np.zeros(len(images))
    for part in _parts(np.arange(len(images)), WRITE_IMAGES):
        votes, _ = votes_of(images[part].tolist(), model)
        stored = [priors[row].astype("<f4").tobytes() for row in part]
        told = evidence(votes, len(part), model.crowd)
        left[part] = entropy(weighed(model.priors(stored), told))
    return left


def write_predictions(
    *, version: ModelVersion, ranked: Ranked, part: Sequence[int] | NDArray[np.int64]
) -> None:
    """One row an image, probabilities as little-endian float32 bytes."""
    Prediction.objects.bulk_create(
        [
            Prediction(
                model_version=version,
                image_id=int(ranked.images[row]),
                probabilities=ranked.served[row].astype("<f4").tobytes(),
                prior=ranked.priors[row].astype("<f4").tobytes(),
                entropy=float(ranked.entropies[row]),
            )
            for row in part
        ],
        update_conflicts=True,
        unique_fields=["model_version", "image"],
        update_fields=["probabilities", "prior", "entropy"],
    )


def _active(project: Project) -> QuerySet[Image]:
    return Image.objects.filter(project=project, status=Image.Status.ACTIVE)


def _parts(values: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
