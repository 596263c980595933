"""Tasks of the training and ranking queues: doors, not rooms. Only these processes load torch."""

import logging
import socket
from typing import Any

from celery import shared_task
from django.utils import timezone

from labelhub.projects.models import Project
from labelhub.rounds import dispatch
from labelhub.rounds.label_doubts import NoNetwork, find_label_errors
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


@shared_task(name=dispatch.FIND_LABEL_ERRORS)
def search_labels(*, project_id: int, **_: Any) -> None:
    """No torch, but reading that takes seconds: here it holds up no tick."""
    project = Project.objects.filter(pk=project_id).first()
    if project is None:
        logger.info("project %s is gone: nothing to do", project_id)
        return
    try:
        logger.info("%s: %s", project.slug, find_label_errors(project=project, now=timezone.now()))
    except NoNetwork as error:
        logger.info("%s: nothing to do", error)
