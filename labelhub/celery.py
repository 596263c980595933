"""The Celery application: broker, queues and the clock of the scheduled jobs. No tasks here.

Tasks live in ``workers/``; the web process sends them by name and never imports them. Rows are the
truth and messages are hints, so a lost or doubled message costs nothing but time.
"""

import os

from celery import Celery
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.settings")

from django.conf import settings

from labelhub.rounds import dispatch

app = Celery("labelhub")
app.conf.update(
    broker_url=settings.REDIS_URL,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        # A killed worker's unacknowledged message comes back in seconds, not after an hour.
        "visibility_timeout": 60,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": 10,
        "socket_connect_timeout": 5,
        # A message is a hint: with the broker down its sender goes on at once, not after 6 s.
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.1,
    },
    accept_content=["json"],
    task_serializer="json",
    task_ignore_result=True,
    task_default_queue=dispatch.DEFAULT_QUEUE,
    task_queues=[Queue(name) for name in dispatch.QUEUES],
    task_create_missing_queues=False,
    task_routes=dispatch.QUEUE_OF,
    task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0.1},
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    timezone="UTC",
    beat_schedule={
        "tick": {
            "task": dispatch.TICK,
            "schedule": dispatch.TICK_SECONDS,
            # A tick nobody took in time is worth nothing: the next one sees the same rows.
            "options": {"expires": dispatch.TICK_SECONDS},
        }
    },
)
