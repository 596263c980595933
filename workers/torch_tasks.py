"""Tasks of the training and ranking queues: doors, not rooms. Only these processes load torch."""

import logging
import socket
from typing import Any

from celery import shared_task
from django.utils import timezone

from labelhub.rounds import dispatch
from workers import ranking, training

logger = logging.getLogger(__name__)


@shared_task(name=dispatch.TRAIN_ROUND)
def train_round(*, round_id: int, **_: Any) -> None:
    """Acknowledged at once: training outlasts any redelivery time, the lease in the row guards."""
    if not training.train_round(round_id=round_id, worker=socket.gethostname(), clock=timezone.now):
        logger.info("Round %s is closed or held by another worker: nothing to do", round_id)


@shared_task(name=dispatch.RANK_SHARD, acks_late=True, reject_on_worker_lost=True)
def rank_shard(*, shard_id: int, **_: Any) -> None:
    """Short and repeatable, so a killed worker's message comes back."""
    ranking.rank_shard(shard_id=shard_id, clock=timezone.now)
