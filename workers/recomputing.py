"""Computes every Consensus anew from the vote rows, to show or to restore that it equals them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import transaction

from labelhub.projects.models import Project
from labelhub.rounds.queueing import requeue
from labelhub.votes.consensus import ConsensusBatch, compute, standing_states
from labelhub.votes.models import Consensus
from labelhub.votes.services import refresh_consensus

BATCH = 100  # images in a transaction of a few dozen milliseconds: answers come in between
TOLERANCE = 1e-6


@dataclass
class Recomputed:
    """``images`` looked at, of which ``changed`` were not what their rows say.

    ``max_difference`` is the largest over all probabilities and all counts of people.
    """

    images: int = 0
    changed: int = 0
    max_difference: float = 0.0


def recompute_consensus(
    *, project: Project, write: bool, now: datetime, on_progress: Callable[[int], None]
) -> Recomputed:
    """Compare every Consensus of a project with its vote rows; ``write`` corrects what differs.

    Small transactions, each of which reads the votes again: answers go on meanwhile, and a run that
    was stopped can be repeated. ``on_progress`` hears how many more images are done.
    """
    found = Recomputed()
    rows = Consensus.objects.filter(project=project).order_by("image_id")
    last = 0
    while images := list(rows.filter(image_id__gt=last).values_list("image_id", flat=True)[:BATCH]):
        with transaction.atomic():
            batch = compute(standing_states(images))
            differing = _compare(batch, found)
            if write and differing:
                corrected = refresh_consensus(images=differing, now=now)
                requeue(project=project, batch=corrected, release=False)
        last = images[-1]
        on_progress(len(images))
    return found


def _compare(batch: ConsensusBatch, found: Recomputed) -> list[int]:
    """The images of a batch whose stored Consensus is another; counts them in ``found``."""
    images = [state.image_id for state in batch.states]
    stored = Consensus.objects.in_bulk(images, field_name="image_id")
    differing = []
    for place, image_id in enumerate(images):
        difference = _difference(stored[image_id], batch, place)
        found.max_difference = max(found.max_difference, difference)
        if difference > TOLERANCE:
            differing.append(image_id)
    found.images += len(images)
    found.changed += len(differing)
    return differing


def _difference(row: Consensus, batch: ConsensusBatch, place: int) -> float:
    """How far a stored row is from what was computed; 1 or more where it names another class, is
    no probability vector at all, counts other people, or is settled and should not be."""
    told = np.frombuffer(row.probabilities, dtype="<f8")
    right = batch.probabilities[place]
    if told.shape != right.shape or not np.isfinite(told).all():
        return 1.0
    named = batch.states[place].model.label_classes[int(right.argmax())]
    return max(
        float(np.abs(told - right).max()),
        abs(row.confidence - float(right.max())),
        float(row.label_class_id != named),
        float(abs(row.humans - batch.humans[place])),
        float(row.settled != batch.settled[place]),
    )
