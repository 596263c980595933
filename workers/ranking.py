"""Ranks images: predictions in bulk, then consensus and queues, shard by shard.

A shard can be repeated: every write replaces what the same version wrote before.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from itertools import repeat
from typing import NamedTuple

import numpy as np
from django.db.models import QuerySet
from numpy.typing import NDArray

from classifier.checkpoint import BadCheckpoint
from labelhub.projects.durability import unawaited_transaction
from labelhub.projects.models import Image, Project
from labelhub.projects.rows import upsert_rows
from labelhub.rounds.models import ModelVersion, Prediction
from labelhub.rounds.queueing import requeue
from labelhub.rounds.shards import finish_shard, give_back_shard, keep_shard, take_shard
from labelhub.votes.arrays import stored
from labelhub.votes.consensus import Basis
from labelhub.votes.parameters import first_parameters
from labelhub.votes.services import refresh_consensus
from workers.datasets import pictures_by_part
from workers.lease import LeaseKeeper
from workers.predicting import PART_IMAGES, Ranked, predictions
from workers.scores import scores_of

logger = logging.getLogger(__name__)
SHARD_IMAGES = 8192
WRITE_IMAGES = 250  # a transaction of 10 to 40 ms: answers come in between
PREDICTED = ("model_version", "image", "probabilities", "prior", "entropy")


class Done(NamedTuple):
    """What a ranking did. The seconds are those to written predictions, and from there until
    consensus and queues had followed."""

    images: int = 0
    predicting: float = 0.0
    believing: float = 0.0

    def and_then(self, other: "Done") -> "Done":
        """Both, one after the other."""
        return Done(
            self.images + other.images,
            self.predicting + other.predicting,
            self.believing + other.believing,
        )


def shard_spans(*, project: Project) -> list[tuple[int, int]]:
    """(first, last) image ids of each shard of the project's active images."""
    ids = _active(project).order_by("pk").values_list("pk", flat=True)
    spans: list[tuple[int, int]] = []
    while part := list(ids.filter(pk__gt=spans[-1][1] if spans else 0)[:SHARD_IMAGES]):
        spans.append((part[0], part[-1]))
    return spans


def rank_shard(*, shard_id: int, clock: Callable[[], datetime]) -> Done:
    """Rank one shard; no images when there is nothing to do.

    What ends it is noted in the row and raised; others may try again.
    """
    shard = take_shard(shard_id=shard_id, now=clock())
    if shard is None:
        return Done()
    version, span = shard.model_version, (shard.first_image, shard.last_image)
    try:
        with LeaseKeeper(partial(keep_shard, shard=shard), clock):
            done = rank_span(version=version, span=span, clock=clock)
    except Exception as error:
        trouble = str(error) if isinstance(error, BadCheckpoint) else repr(error)
        give_back_shard(shard=shard, trouble=trouble)
        raise
    finish_shard(shard=shard, now=clock())
    logger.info(
        "%s of %s: %s images ranked, %.2f s to predictions, %.2f s to the queues",
        *(shard, version.project.slug, *done),
    )
    return done


def rank_span(
    *, version: ModelVersion, span: tuple[int, int], clock: Callable[[], datetime]
) -> Done:
    """Rank the active images from one id to another, both included.

    It goes by parts of SHARD_IMAGES: images that were excluded when the shards were cut may be back
    by now.
    """
    active = _active(version.project).filter(pk__range=span).order_by("pk")
    images = np.fromiter(active.values_list("pk", flat=True), dtype=np.int64)
    done = Done()
    for part in _parts(images, SHARD_IMAGES):
        done = done.and_then(_rank(version, part, clock))
    return done


def _rank(version: ModelVersion, images: NDArray[np.int64], clock: Callable[[], datetime]) -> Done:
    """Write the Predictions of images (n,), then bring consensus and queues up to date.

    Stopped in between, it is done again from the start: nothing rests on Predictions alone.
    """
    started = time.perf_counter()
    pictures = pictures_by_part(version=version, parts=_parts(images, PART_IMAGES))
    written = []
    for part in predictions(version=version, parts=pictures):
        write_predictions(version=version, ranked=part)
        written.append(part)
    if not written:
        return Done()
    ranked, predicted = Ranked.joined(written), time.perf_counter()
    believe(version=version, ranked=ranked, scores=scores_of(version, ranked), clock=clock)
    return Done(len(ranked.images), predicted - started, time.perf_counter() - predicted)


def write_predictions(*, version: ModelVersion, ranked: Ranked) -> None:
    """One row an image, probabilities as little-endian float32 bytes.

    The disk is not awaited: nobody was promised these rows, and what rests on them is written after
    them, into the same log.
    """
    rows = zip(
        repeat(version.pk),
        ranked.images.tolist(),
        stored(ranked.served, "<f4"),
        stored(ranked.priors, "<f4"),
        ranked.entropies.tolist(),
        strict=False,
    )
    with unawaited_transaction():
        upsert_rows(Prediction, PREDICTED, rows, key=("model_version", "image"))


def believe(
    *,
    version: ModelVersion,
    ranked: Ranked,
    scores: NDArray[np.float64],
    clock: Callable[[], datetime],
) -> None:
    """Rest the consensus of images on their new priors, and move them in the queues by their
    ``scores`` (n,)."""
    model = first_parameters(project=version.project, now=clock())
    images, priors, by_image = ranked.images.tolist(), stored(ranked.priors, "<f4"), scores.tolist()
    for start in range(0, len(images), WRITE_IMAGES):
        here = slice(start, start + WRITE_IMAGES)
        basis = Basis(model, version.number, dict(zip(images[here], priors[here], strict=True)))
        _believe(version, basis, dict(zip(images[here], by_image[here], strict=True)), clock())


def _believe(
    version: ModelVersion, basis: Basis, scores: Mapping[int, float], now: datetime
) -> None:
    """Rest the consensus of a few images on new priors, and move them in the queues.

    A version that was replaced while its ranking ran is not heard any more.
    """
    with unawaited_transaction():  # as in write_predictions
        # Locked: a promotion or a rollback comes wholly before these rows or wholly after.
        serving = ModelVersion.objects.select_for_update(no_key=True).filter(serving=True)
        if serving.filter(pk=version.pk).first() is not None:
            batch = refresh_consensus(images=list(basis.priors), now=now, basis=basis)
            requeue(project=version.project, batch=batch, release=False, scores=scores)


def _active(project: Project) -> QuerySet[Image]:
    return Image.objects.filter(project=project, status=Image.Status.ACTIVE)


def _parts(values: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
