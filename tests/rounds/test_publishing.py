"""Promotion, refusal and rollback of model versions."""

import numpy as np
import pytest

from labelhub.projects.models import Project
from labelhub.rounds.models import ModelVersion, RankingShard, Round
from labelhub.rounds.services import (
    Claim,
    LeaseLost,
    NewModelVersion,
    claim_round,
    finish_shard,
    open_round,
    publish_model_version,
    roll_back,
)
from labelhub.rounds.sweeping import HINT_EVERY, sweep_shards
from labelhub.votes.parameters import latest_model
from tests.factories import NOON, shapes_project

pytestmark = pytest.mark.django_db


def claimed(project: Project) -> Claim:
    training = open_round(
        project=project, trigger=Round.Trigger.PERSON, opened_by_id=None, now=NOON
    )
    claim = claim_round(round_id=training.pk, worker="one", now=NOON)
    assert claim is not None
    return claim


def publish(project: Project, *, promote: bool = True, claim: Claim | None = None) -> ModelVersion:
    version = NewModelVersion(
        recipe="seed",
        config={},
        label_classes=[row.pk for row in project.label_classes.order_by("position")],
        sha256="a" * 64,
        fold_sha256=["b" * 64, "c" * 64],
        temperature=1.2,
        metrics={"accuracy": 0.9},
        provisional=True,
        select_rates=np.full((4, 4), 0.1) + 0.8 * np.eye(4),
        choice_rates=np.full((4, 4), 0.25),
    )
    return publish_model_version(
        claim=claim or claimed(project),
        version=version,
        promote=promote,
        reason="right on 90 %",
        seconds={"train": 1.0},
        shards=[(1, 30), (31, 60)],
        now=NOON,
    )


def finish_ranking(version: ModelVersion) -> None:
    for shard in version.ranking_shards.all():
        finish_shard(shard=shard, now=NOON)


def test_a_promoted_version_serves_and_its_round_ends_with_the_last_shard() -> None:
    project = shapes_project()
    version = publish(project)
    assert version.serving
    first, second = version.ranking_shards.order_by("number")
    finish_shard(shard=first, now=NOON)
    assert version.round.__class__.objects.get(pk=version.round_id).state == Round.State.RANKING
    finish_shard(shard=first, now=NOON)  # delivered twice
    assert Round.objects.get(pk=version.round_id).state == Round.State.RANKING
    finish_shard(shard=second, now=NOON)
    ended = Round.objects.get(pk=version.round_id)
    assert (ended.state, ended.outcome) == (Round.State.DONE, Round.Outcome.PROMOTED)
    assert set(ended.seconds) == {"train", "rank"}


def test_a_refused_version_never_serves_and_says_why() -> None:
    project = shapes_project()
    kept = publish(project)
    finish_ranking(kept)
    refused = publish(project, promote=False)
    assert not refused.serving
    assert refused.round.project.model_versions.get(serving=True) == kept
    ended = Round.objects.get(pk=refused.round_id)
    assert (ended.state, ended.outcome, ended.reason) == ("done", "refused", "right on 90 %")
    assert not refused.ranking_shards.exists()


def test_a_promotion_refits_the_crowds_rates_and_a_refusal_does_not() -> None:
    project = shapes_project()
    publish(project, promote=False)
    before = latest_model(project=project)
    assert before is not None
    assert before.version == 1
    publish(project)
    after = latest_model(project=project)
    assert after is not None
    assert after.select_rates[0, 0] == pytest.approx(0.9)


def test_one_version_serves_after_many_promotions() -> None:
    project = shapes_project()
    for _ in range(3):
        finish_ranking(publish(project))
    assert [v.number for v in ModelVersion.objects.filter(serving=True)] == [3]


def test_a_worker_that_lost_its_lease_publishes_nothing() -> None:
    project = shapes_project()
    claim = claimed(project)
    stale = Claim(claim.round_id, claim.fence - 1)
    with pytest.raises(LeaseLost):
        publish(project, claim=stale)
    assert ModelVersion.objects.count() == 0
    assert RankingShard.objects.count() == 0


def test_rollback_serves_the_version_before_and_ranks_anew() -> None:
    project = shapes_project()
    first, second = publish(project), None
    finish_ranking(first)
    second = publish(project)
    finish_ranking(second)
    assert roll_back(project=project, to_number=None, now=NOON) == (second, first)
    assert ModelVersion.objects.get(serving=True) == first
    assert first.ranking_shards.filter(finished_at=None).count() == 2


def test_rollback_to_nothing_or_to_a_refused_version_is_an_error() -> None:
    project = shapes_project()
    with pytest.raises(LookupError, match="no model version in service"):
        roll_back(project=project, to_number=None, now=NOON)
    finish_ranking(publish(project))
    publish(project, promote=False)
    with pytest.raises(LookupError, match="an earlier promoted version"):
        roll_back(project=project, to_number=None, now=NOON)
    with pytest.raises(LookupError, match="version 2"):
        roll_back(project=project, to_number=2, now=NOON)


def test_the_sweeper_sends_unfinished_shards_again() -> None:
    version = publish(shapes_project())
    finish_shard(shard=version.ranking_shards.first(), now=NOON)
    assert sweep_shards(now=NOON) == 0
    assert sweep_shards(now=NOON + HINT_EVERY) == 1
