"""Follows a Round to its end from the command line, and does its work where no worker listens.

Doing it here is always safe: the lease in the row lets one process train, and a shard can be ranked
twice at no harm.
"""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from labelhub.projects.models import LabelClass
from labelhub.rounds.models import ModelVersion, RankingShard, Round
from labelhub.rounds.rollback import end_hopeless_rankings
from labelhub.rounds.shards import MOST_TRIES
from labelhub.supervision.broker import answers_ping
from workers.ranking import rank_shard
from workers.training import train_round

logger = logging.getLogger(__name__)
Clock = Callable[[], datetime]
Show = Callable[[Round], None]

LOOK_EVERY = 0.3  # seconds between two looks at the row
CLAIMED_WITHIN = timedelta(seconds=5)  # a worker that listens takes a Round in less
RANKED_WITHIN = timedelta(seconds=30)  # a worker that listens finishes a shard in less
SCORES = ("accuracy", "nll", "ece")
STAGES = ("snapshot", "train", "evaluate", "rank")


def watch(*, round_id: int, show: Show, clock: Clock, pause: Callable[[float], None]) -> Round:
    """Show a Round until it is closed, or until it is plain that no worker will take it."""
    hopeless = not answers_ping(settings.REDIS_URL)
    moved, seen = clock(), ""
    while True:
        row = Round.objects.get(pk=round_id)
        show(row)
        state = f"{row.state} {row.fence} {row.progress}"
        if state != seen:
            moved, seen = clock(), state
        held = row.lease_until is not None and row.lease_until > clock()
        if not row.is_open or (hopeless and not held):
            return row
        if not held and clock() - moved > _patience(row) and not _busy_elsewhere(row, clock()):
            return row
        pause(LOOK_EVERY)


def _patience(row: Round) -> timedelta:
    return RANKED_WITHIN if row.state == Round.State.RANKING else CLAIMED_WITHIN


def _busy_elsewhere(row: Round, now: datetime) -> bool:
    """Whether a worker trains another Round just now and will come to this one."""
    return Round.objects.filter(lease_until__gt=now).exclude(pk=row.pk).exists()


def work_here(*, round_id: int, show: Show, clock: Clock) -> Round:
    """Train and rank a Round in this process, showing it meanwhile; gives its closed row."""
    with _shown(round_id, show):
        train_round(round_id=round_id, worker=f"{socket.gethostname()} (command)", clock=clock)
        version = ModelVersion.objects.filter(round=round_id, serving=True).first()
        if version is not None:
            rank_here(version=version, clock=clock)
    row = Round.objects.get(pk=round_id)
    show(row)
    return row


def ranked_by_workers(
    *, version: ModelVersion, clock: Clock, pause: Callable[[float], None]
) -> bool:
    """Whether workers took the ranking up: one of its shards is done in time, or none is left."""
    if not answers_ping(settings.REDIS_URL):
        return False
    waiting = RankingShard.objects.filter(model_version=version, finished_at=None)
    at_first, until = waiting.count(), clock() + RANKED_WITHIN
    while left := waiting.count():
        if left < at_first:
            return True
        if clock() > until:
            return False
        pause(LOOK_EVERY)
    return True


def rank_here(*, version: ModelVersion, clock: Clock) -> int:
    """Rank what is left of a version's shards in this process; gives the number of images.

    A shard that fails is tried again as often as any; then its Round is ended.
    """
    images = 0
    for _ in range(MOST_TRIES):
        waiting = RankingShard.objects.filter(model_version=version, finished_at=None)
        for shard in waiting.order_by("number").values_list("pk", flat=True):
            try:
                images += rank_shard(shard_id=shard, clock=clock).images
            except Exception:
                logger.exception("shard %s of %s failed", shard, version)
    end_hopeless_rankings(now=clock())
    return images


@contextmanager
def _shown(round_id: int, show: Show) -> Iterator[None]:
    """Show the row from a thread while this one works."""
    stop = threading.Event()

    def look() -> None:
        try:
            while not stop.wait(LOOK_EVERY):
                show(Round.objects.get(pk=round_id))
        finally:
            connection.close()

    thread = threading.Thread(target=look, name="show", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def report(row: Round) -> dict[str, Any]:
    """What became of a Round, as JSON: every key is there, null where there is nothing to say."""
    version = ModelVersion.objects.filter(round=row).first()
    metrics = version.metrics if version else {}
    return {
        "round": row.number,
        "model_version": version.number if version else None,
        "promoted": row.outcome == Round.Outcome.PROMOTED,
        "reason": row.reason,
        "metrics": {
            **{name: metrics.get(name) for name in SCORES},
            "per_class": _by_key(version, metrics.get("per_class", {})),
        },
        "seconds": {name: row.seconds.get(name) for name in STAGES},
    }


def _by_key(version: ModelVersion | None, per_class: dict[str, Any]) -> dict[str, Any]:
    """Scores by the key of their class instead of its place in the vectors."""
    if version is None:
        return {}
    keys = dict(LabelClass.objects.filter(project=version.project).values_list("pk", "key"))
    return {keys[version.label_classes[int(place)]]: score for place, score in per_class.items()}
