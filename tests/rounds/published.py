"""Versions as Rounds publish them, and workers that rank with them or fail to."""

from collections.abc import Sequence

import numpy as np

from labelhub.projects.models import Project
from labelhub.rounds.models import ModelVersion, Round
from labelhub.rounds.services import (
    Claim,
    NewModelVersion,
    claim_round,
    open_round,
    publish_model_version,
)
from labelhub.rounds.shards import (
    MOST_TRIES,
    finish_shard,
    give_back_shard,
    take_shard,
)
from labelhub.votes.crowd import Crowd, Skills
from tests.factories import NOON
from tests.stored import stored_network


def claimed(project: Project) -> Claim:
    training = open_round(
        project=project, trigger=Round.Trigger.PERSON, opened_by_id=None, now=NOON
    )
    claim = claim_round(round_id=training.pk, worker="one", now=NOON)
    assert claim is not None
    return claim


def publish(
    project: Project,
    *,
    promote: bool = True,
    labels_hold: bool = True,
    claim: Claim | None = None,
    shards: Sequence[tuple[int, int]] = ((1, 30), (31, 60)),
    skills: Skills | None = None,
) -> ModelVersion:
    """The version of a Round, whose files are whole."""
    number = project.model_versions.count() + 1
    common = stored_network(project, f"read by all {number}")
    version = NewModelVersion(
        recipe="seed",
        config={},
        label_classes=[row.pk for row in project.label_classes.order_by("position")],
        sha256=stored_network(project, f"served {number}", common=common),
        fold_sha256=[stored_network(project, f"fold {one} of {number}") for one in "ab"],
        temperature=1.2,
        metrics={"accuracy": 0.9},
        provisional=True,
        crowd=Crowd(
            select_rates=np.full((4, 4), 0.1) + 0.8 * np.eye(4),
            choice_rates=np.full((4, 4), 0.25),
            skills=skills or Skills.nobody(),
        ),
    )
    return publish_model_version(
        claim=claim or claimed(project),
        version=version,
        promote=promote,
        reason="right on 90 %",
        labels_hold=labels_hold,
        seconds={"train": 1.0},
        shards=shards,
        now=NOON,
    )


def finish_ranking(version: ModelVersion) -> None:
    for shard in version.ranking_shards.all():
        finish_shard(shard=shard, now=NOON)


def fail_at(version: ModelVersion, *, trouble: str, tries: int = MOST_TRIES) -> None:
    """Workers that take the first shard and give it back."""
    shard = version.ranking_shards.order_by("number").first()
    for _ in range(tries):
        taken = take_shard(shard_id=shard.pk, now=NOON)
        assert taken is not None
        give_back_shard(shard=taken, trouble=trouble)
    assert tries < MOST_TRIES or take_shard(shard_id=shard.pk, now=NOON) is None
