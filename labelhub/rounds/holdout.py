"""The holdout: a random sample by content hash, set aside before any Round has read it."""

from datetime import datetime
from heapq import nsmallest
from typing import NamedTuple

from django.db import transaction
from django.db.models import Max, QuerySet

from labelhub.projects.models import Image, Project
from labelhub.projects.services import HOLDOUT_MOST, holdout_target, take_turn
from labelhub.rounds.models import Candidate, Round
from labelhub.rounds.queueing import requeue
from labelhub.votes.services import refresh_consensus

BATCH = 500


class Place(NamedTuple):
    """An image that may be held out; the smallest hashes are."""

    sha256: str
    image_id: int


def top_up_holdout(*, project: Project, now: datetime) -> int:
    """Set aside what the holdout lacks, and queue it as such. Gives how many more it has.

    Images up to the last one that a label snapshot has read may have been trained on, and are never
    held out any more. Later ones compete by their hashes for as long as no Round has read them: an
    import may come class by class, and what came first makes room for what comes later, unless
    people have voted on it. The work is bounded by the size of the holdout, whatever the project's.
    """
    with transaction.atomic():
        take_turn(project=project)
        read = Round.objects.filter(project=project).aggregate(last=Max("last_image"))["last"] or 0
        active = Image.objects.filter(
            project=project, status=Image.Status.ACTIVE, parent__isnull=True
        )
        held_out = active.filter(holdout__in=[True])  # "= 1", not a bare column, uses the index
        held = list(held_out.values_list("sha256", "pk", "consensus__humans"))
        movable = [Place(sha256, pk) for sha256, pk, humans in held if pk > read and not humans]
        missing = _target(active, len(held)) - len(held)
        places = len(movable) + max(missing, 0)
        if not places:
            return 0
        fresh = _fresh(active, read, places, below=None if missing > 0 else max(movable).sha256)
        chosen = set(nsmallest(places, [*movable, *fresh]))
        let_go = [place.image_id for place in movable if place not in chosen]
        set_aside = [place.image_id for place in fresh if place in chosen]
        _move(project, let_go, held_out=False, now=now)
        _move(project, set_aside, held_out=True, now=now)
    return len(set_aside) - len(let_go)


def _target(active: QuerySet[Image], held: int) -> int:
    """How many are to be held out; a full holdout is known without counting the project."""
    return HOLDOUT_MOST if held >= HOLDOUT_MOST else holdout_target(active.count())


def _fresh(active: QuerySet[Image], read: int, places: int, *, below: str | None) -> list[Place]:
    """The images of the smallest hashes that may still be held out and are not."""
    fresh = active.filter(holdout=False, pk__gt=read, example__isnull=True)
    if below is not None:
        fresh = fresh.filter(sha256__lt=below)
    rows = fresh.order_by("sha256").values_list("sha256", "pk")[:places]
    return [Place(*row) for row in rows]


def _move(project: Project, images: list[int], *, held_out: bool, now: datetime) -> None:
    """Move images between the holdout and the others: flag, queue, Consensus."""
    queues = (Candidate.Queue.OPEN, Candidate.Queue.HOLDOUT)
    before, after = queues if held_out else reversed(queues)
    for start in range(0, len(images), BATCH):
        part = images[start : start + BATCH]
        Image.objects.filter(pk__in=part).update(holdout=held_out)
        Candidate.objects.filter(image_id__in=part, queue=before).update(queue=after)
        batch = refresh_consensus(images=part, now=now)
        requeue(project=project, batch=batch, release=False)
