"""Work leaves the web process by name: the names of the tasks, their queues, and the one sender.

Nothing here imports a task. ``tests/architecture`` checks that every name is registered by the
worker that consumes its queue.
"""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

DEFAULT_QUEUE = "default"
TRAINING_QUEUE = "training"
RANKING_QUEUE = "ranking"
INFERENCE_QUEUE = "inference"
QUEUES = (DEFAULT_QUEUE, TRAINING_QUEUE, RANKING_QUEUE, INFERENCE_QUEUE)

TICK_SECONDS = 15

TICK = "workers.tick"
TRAIN_ROUND = "workers.train_round"
RANK_SHARD = "workers.rank_shard"
FIND_LABEL_ERRORS = "workers.find_label_errors"
REPLAY = "workers.replay"

QUEUE_OF = {
    TICK: {"queue": DEFAULT_QUEUE},
    TRAIN_ROUND: {"queue": TRAINING_QUEUE},
    RANK_SHARD: {"queue": RANKING_QUEUE},
    FIND_LABEL_ERRORS: {"queue": RANKING_QUEUE},
    REPLAY: {"queue": INFERENCE_QUEUE},
}


def after_commit(task: str, **arguments: int) -> None:
    """Send a task by name once the rows it works on are committed."""

    def send() -> None:  # no partial: Django says by its name what has failed
        _send(task, arguments)

    transaction.on_commit(send, robust=True)


def _send(task: str, arguments: dict[str, int]) -> None:
    """A broker that is down loses a hint, never the work: the sweeper finds the rows."""
    try:
        current_app.send_task(task, kwargs=arguments, retry=False)
    except (OperationalError, OSError) as error:
        logger.warning(
            "broker unreachable, %s %s waits for the sweeper: %s", task, arguments, error
        )


def ask_now(task: str, *, seconds: float, **arguments: int | str) -> None:
    """Send a task by name to whoever answers within so many seconds; later it is not begun.

    Raises OperationalError or OSError when the broker cannot be reached.
    """
    current_app.send_task(task, kwargs=arguments, retry=False, expires=seconds)
