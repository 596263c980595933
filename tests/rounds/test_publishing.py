"""Promotion, refusal and rollback of model versions."""

import numpy as np
import pytest

from labelhub.rounds.models import ModelVersion, RankingShard, Round
from labelhub.rounds.rollback import end_hopeless_rankings, roll_back
from labelhub.rounds.services import (
    Claim,
    LeaseLost,
)
from labelhub.rounds.shards import (
    MOST_TRIES,
    SHARD_LEASE,
    finish_shard,
    take_shard,
)
from labelhub.rounds.sweeping import HINT_EVERY, SHARDS_AT_ONCE, sweep_shards
from labelhub.votes.crowd import Skills
from labelhub.votes.parameters import latest_model
from tests.factories import NOON, shapes_project, visitor
from tests.rounds.published import claimed, fail_at, finish_ranking, publish

pytestmark = pytest.mark.django_db


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


def test_a_promotion_refits_the_annotator_model_and_so_does_a_refusal_where_a_version_serves() -> (
    None
):
    project = shapes_project()
    publish(project, promote=False)
    assert [row.version for row in project.parameters.all()] == [1]
    first = publish(project)
    after = latest_model(project=project)
    assert after is not None
    assert after.crowd.select_rates[0, 0] == pytest.approx(0.9)
    finish_ranking(first)
    publish(project, promote=False)
    assert [row.version for row in project.parameters.order_by("version")] == [1, 2, 3]
    assert first.ranking_shards.filter(finished_at=None).count() == 2  # every image rests on it


def test_a_round_whose_labels_did_not_hold_changes_nothing() -> None:
    project = shapes_project()
    somebody = visitor(project)
    kept = publish(project)
    finish_ranking(kept)
    silent = Skills(np.array([somebody.pk]), *np.zeros((3, 1)), counts=np.array([False]))
    refused = publish(project, promote=False, labels_hold=False, skills=silent)
    assert not refused.serving
    assert [row.version for row in project.parameters.order_by("version")] == [1, 2]
    assert project.annotators.get().counts
    assert not kept.ranking_shards.filter(finished_at=None).exists()


def test_a_round_notes_whose_votes_count_and_takes_it_back_with_the_next() -> None:
    project = shapes_project()
    ada, oskar = visitor(project), visitor(project)
    silent = Skills(np.array([ada.pk, oskar.pk]), *np.zeros((3, 2)), counts=np.array([True, False]))
    finish_ranking(publish(project, skills=silent))
    assert [row.counts for row in project.annotators.order_by("pk")] == [True, False]
    publish(project, promote=False)
    assert [row.counts for row in project.annotators.order_by("pk")] == [True, True]


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


def test_after_a_rollback_and_a_new_promotion_the_bad_version_is_not_gone_back_to() -> None:
    project = shapes_project()
    good, bad = publish(project), None
    finish_ranking(good)
    bad = publish(project)
    finish_ranking(bad)
    assert roll_back(project=project, to_number=None, now=NOON) == (bad, good)
    with pytest.raises(LookupError, match="an earlier promoted version"):
        roll_back(project=project, to_number=None, now=NOON)
    bad_again = publish(project)
    assert roll_back(project=project, to_number=None, now=NOON) == (bad_again, good)


def test_a_rollback_in_mid_ranking_closes_the_round() -> None:
    project = shapes_project()
    first = publish(project)
    finish_ranking(first)
    second = publish(project)
    roll_back(project=project, to_number=None, now=NOON)
    ended = Round.objects.get(pk=second.round_id)
    assert (ended.state, ended.outcome, ended.finished_at) == ("done", "promoted", NOON)
    assert "rolled back before it had ranked every picture" in ended.reason


def test_a_promotion_without_any_picture_to_rank_ends_its_round_at_once() -> None:
    version = publish(shapes_project(), shards=[])
    ended = Round.objects.get(pk=version.round_id)
    assert (ended.state, ended.outcome, ended.finished_at) == ("done", "promoted", NOON)


def test_a_version_that_cannot_rank_is_withdrawn_and_says_why() -> None:
    project = shapes_project()
    good = publish(project)
    finish_ranking(good)
    broken = publish(project)
    fail_at(broken, trouble="its file is gone", tries=MOST_TRIES - 1)
    assert end_hopeless_rankings(now=NOON) == []
    fail_at(broken, trouble="its file is gone", tries=1)
    sweep_shards(now=NOON)
    ended = Round.objects.get(pk=broken.round_id)
    assert (ended.state, ended.outcome, ended.finished_at) == ("failed", "", NOON)
    assert ended.reason == (
        "version 2 could not rank the pictures and was withdrawn: its file is gone; "
        "version 1 serves now"
    )
    assert ModelVersion.objects.get(serving=True) == good
    assert good.ranking_shards.filter(finished_at=None).count() == 2
    with pytest.raises(LookupError, match="version 2"):
        roll_back(project=project, to_number=2, now=NOON)


def test_a_first_version_whose_workers_are_all_lost_leaves_none_in_service() -> None:
    version = publish(shapes_project())
    shard = version.ranking_shards.first()
    for number in range(MOST_TRIES):
        assert take_shard(shard_id=shard.pk, now=NOON + number * SHARD_LEASE)
    assert end_hopeless_rankings(now=NOON) == [], "the last worker may still come to its end"
    assert end_hopeless_rankings(now=NOON + MOST_TRIES * SHARD_LEASE) == [version.round]
    assert "its workers were lost; no version serves now" in Round.objects.get().reason
    assert not ModelVersion.objects.filter(serving=True).exists()


def test_one_worker_ranks_a_shard_at_a_time() -> None:
    shard = publish(shapes_project()).ranking_shards.first()
    assert take_shard(shard_id=shard.pk, now=NOON) == shard
    assert take_shard(shard_id=shard.pk, now=NOON + SHARD_LEASE / 2) is None
    assert take_shard(shard_id=shard.pk, now=NOON + SHARD_LEASE) == shard


def test_the_shards_of_a_version_that_was_replaced_are_left() -> None:
    project = shapes_project()
    finish_ranking(publish(project))
    replaced = publish(project)
    roll_back(project=project, to_number=None, now=NOON)
    assert take_shard(shard_id=replaced.ranking_shards.first().pk, now=NOON) is None


def test_the_sweeper_sends_unfinished_shards_again() -> None:
    version = publish(shapes_project())
    finish_shard(shard=version.ranking_shards.first(), now=NOON)
    assert sweep_shards(now=NOON) == 0
    assert sweep_shards(now=NOON + HINT_EVERY) == 1


def test_the_sweeper_sends_nothing_while_a_worker_is_at_the_ranking() -> None:
    version = publish(shapes_project())
    take_shard(shard_id=version.ranking_shards.first().pk, now=NOON + HINT_EVERY)
    assert sweep_shards(now=NOON + HINT_EVERY) == 0
    assert sweep_shards(now=NOON + HINT_EVERY + SHARD_LEASE) == 2


def test_the_sweeper_sends_a_bounded_number_of_shards_longest_ago_first() -> None:
    shards = [(number, number) for number in range(SHARDS_AT_ONCE + 8)]
    version = publish(shapes_project(), shards=shards)
    assert sweep_shards(now=NOON + HINT_EVERY) == SHARDS_AT_ONCE
    assert version.ranking_shards.filter(hinted_at=NOON).count() == 8
    assert sweep_shards(now=NOON + HINT_EVERY) == 8
