"""The inference worker is warm before it takes its first question.

Loaded by ``-I …,workers.warming``. The networks in service are read and walked through once: the
first replay would otherwise wait for their files, the pretrained weights and torch's own set-up.
"""

import logging
from typing import Any

import numpy as np
from celery import bootsteps, current_app
from django.db import DatabaseError, InterfaceError

from classifier.config import TrainConfig
from labelhub.rounds.models import ModelVersion
from labelhub.rounds.replays import ReplayRefused
from workers.replaying import replay_of

logger = logging.getLogger(__name__)
MOST_NETWORKS = 8  # of the networks that a process keeps


def warm_up() -> int:
    """Walk once through the networks promoted last; gives how many. What is in the way is logged:
    the questions will say it to those who ask."""
    warm = 0
    try:
        serving = ModelVersion.objects.filter(serving=True).order_by("-promoted_at")
        for version in serving.select_related("project")[:MOST_NETWORKS]:
            config = TrainConfig.from_dict(version.config)
            blank = np.zeros((config.image_size, config.image_size, config.channels), np.uint8)
            replay_of(version=version, pixels=blank)
            warm += 1
    except (DatabaseError, InterfaceError, ReplayRefused, ValueError) as error:
        logger.warning("the first replay may take longer: %s", error)
    return warm


class WarmStep(bootsteps.StartStopStep):
    """Before the consumer takes messages."""

    requires = ()

    def start(self, consumer: Any) -> None:
        """At every connection to the broker; what is warm already costs milliseconds."""
        del consumer
        warm_up()


current_app.steps["consumer"].add(WarmStep)
