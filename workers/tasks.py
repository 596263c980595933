"""Tasks of the default queue: doors, not rooms. No torch in this process."""

import logging
from typing import Any

from celery import shared_task
from django.utils import timezone

from labelhub.rounds import dispatch
from labelhub.rounds.forgetting import forget_predictions
from labelhub.rounds.label_doubts import send_due_searches
from labelhub.rounds.progress import count_progress
from labelhub.rounds.services import open_due_rounds
from labelhub.rounds.sweeping import sweep_rounds, sweep_shards
from workers.places import clear_round_folders

logger = logging.getLogger(__name__)


@shared_task(name=dispatch.TICK, acks_late=True, reject_on_worker_lost=True)
def tick(**_: Any) -> None:
    """What the clock drives: count, open due Rounds, send lost work again, tidy up."""
    now = timezone.now()
    count_progress(now=now)
    for opened in open_due_rounds(now=now):
        logger.info("%s of %s is due: opened", opened, opened.project.slug)
    if sent := sweep_rounds(now=now) + sweep_shards(now=now):
        logger.info("sweeper: %s messages sent again", sent)
    send_due_searches()
    if gone := clear_round_folders() + forget_predictions():
        logger.info("sweeper: %s superseded predictions and folders of closed Rounds removed", gone)
