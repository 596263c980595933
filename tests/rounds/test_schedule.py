"""When a Round opens, who holds it, and what becomes of lost messages."""

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from labelhub.projects.models import Project
from labelhub.rounds import dispatch
from labelhub.rounds.models import ModelVersion, RankingShard, Round
from labelhub.rounds.selectors import images_with_news
from labelhub.rounds.services import (
    LEASE,
    MOST_CLAIMS,
    LeaseLost,
    RoundIsOpen,
    TooFewLabels,
    claim_round,
    enter_stage,
    fail_round,
    keep_lease,
    open_due_rounds,
    open_round,
)
from labelhub.rounds.sweeping import HINT_EVERY, sweep_rounds
from labelhub.votes.models import Vote
from labelhub.votes.services import NewVote, record_votes
from tests.factories import NOON, shapes_project, visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks):
    """The messages that left after a commit."""
    messages: list[tuple[str, dict[str, int]]] = []
    monkeypatch.setattr(
        dispatch, "_send", lambda task, arguments: messages.append((task, arguments))
    )
    return messages


def vote_on(project: Project, count: int, now: datetime = NOON) -> None:
    circle = project.label_classes.get(key="circle")
    images = project.images.filter(gold__isnull=True).order_by("pk")[:count]
    record_votes(
        project=project,
        annotator=visitor(project),
        votes=[NewVote(image.pk, circle.pk, answer=True) for image in images],
        challenge="c",
        now=now,
    )


def begin(project: Project, now: datetime = NOON) -> Round:
    return open_round(project=project, trigger=Round.Trigger.PERSON, opened_by_id=None, now=now)


def close(training: Round) -> None:
    Round.objects.filter(pk=training.pk).update(state=Round.State.DONE, finished_at=NOON)


def test_an_opened_round_sends_its_work_after_the_commit(
    sent, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        training = begin(shapes_project())
        assert sent == []
    assert sent == [(dispatch.TRAIN_ROUND, {"round_id": training.pk})]


def test_a_project_has_one_open_round() -> None:
    project = shapes_project()
    begin(project)
    with pytest.raises(RoundIsOpen):
        begin(project)
    with pytest.raises(IntegrityError, match=r"one_open_round|UNIQUE"), transaction.atomic():
        Round.objects.create(project=project, number=99)


def test_a_round_with_too_few_labels_is_refused_with_the_numbers() -> None:
    with pytest.raises(TooFewLabels, match=r"3 images of Shapes have Gold or votes.*at least 10"):
        begin(shapes_project(gold_per_class=1))


def test_a_round_is_due_when_enough_images_have_new_votes() -> None:
    project = shapes_project(retrain_min_labels=10, retrain_every_minutes=5)
    vote_on(project, 9)
    assert open_due_rounds(now=NOON) == []
    vote_on(project, 10)
    opened = open_due_rounds(now=NOON)
    assert [training.project for training in opened] == [project]


def test_a_small_project_waits_for_a_fifth_of_its_images_until_a_network_serves() -> None:
    project = shapes_project(images=100, gold_per_class=0, retrain_min_labels=200)
    vote_on(project, 19)
    assert open_due_rounds(now=NOON) == []
    vote_on(project, 20)
    [first] = open_due_rounds(now=NOON)
    close(first)
    ModelVersion.objects.create(
        project=project,
        number=first.number,
        round=first,
        label_classes=[],
        serving=True,
        promoted_at=NOON,
    )
    assert open_due_rounds(now=NOON + timedelta(hours=1)) == []


def test_a_round_that_failed_is_not_tried_again_each_minute() -> None:
    project = shapes_project(retrain_min_labels=10, retrain_every_minutes=1)
    vote_on(project, 12)
    [first] = open_due_rounds(now=NOON)
    Round.objects.filter(pk=first.pk).update(state=Round.State.FAILED, finished_at=NOON)
    assert open_due_rounds(now=NOON + timedelta(minutes=9)) == []
    assert len(open_due_rounds(now=NOON + timedelta(minutes=10))) == 1


def test_two_schedulers_open_one_round() -> None:
    project = shapes_project(retrain_min_labels=10)
    vote_on(project, 12)
    assert len(open_due_rounds(now=NOON)) == 1
    assert open_due_rounds(now=NOON) == []


def test_the_next_round_waits_for_its_time_and_for_new_votes() -> None:
    project = shapes_project(retrain_min_labels=5, retrain_every_minutes=30)
    vote_on(project, 6)
    first = open_due_rounds(now=NOON)[0]
    Round.objects.filter(pk=first.pk).update(last_vote=Vote.objects.latest("id").pk)
    close(first)
    assert images_with_news(project=project) == 0
    vote_on(project, 6)
    assert open_due_rounds(now=NOON + timedelta(minutes=29)) == []
    assert len(open_due_rounds(now=NOON + timedelta(minutes=30))) == 1


def test_a_few_votes_start_a_round_in_the_end() -> None:
    project = shapes_project(retrain_min_labels=50, retrain_at_latest_hours=2)
    close(begin(project))
    assert open_due_rounds(now=NOON + timedelta(hours=2)) == []  # nothing is new
    vote_on(project, 1)
    assert open_due_rounds(now=NOON + timedelta(minutes=119)) == []
    assert len(open_due_rounds(now=NOON + timedelta(hours=2))) == 1


def test_a_paused_project_opens_no_round() -> None:
    project = shapes_project(retrain_min_labels=5, status="paused")
    vote_on(project, 10)
    assert open_due_rounds(now=NOON) == []


def test_one_worker_holds_a_round_at_a_time() -> None:
    training = begin(shapes_project())
    first = claim_round(round_id=training.pk, worker="one", now=NOON)
    assert first is not None
    assert claim_round(round_id=training.pk, worker="two", now=NOON + LEASE / 2) is None
    second = claim_round(round_id=training.pk, worker="two", now=NOON + LEASE)
    assert second is not None
    assert second.fence > first.fence


def test_a_worker_that_lost_its_lease_can_write_nothing() -> None:
    training = begin(shapes_project())
    slow = claim_round(round_id=training.pk, worker="slow", now=NOON)
    claim_round(round_id=training.pk, worker="quick", now=NOON + LEASE)
    assert slow is not None
    with pytest.raises(LeaseLost):
        keep_lease(claim=slow, now=NOON + LEASE)
    with pytest.raises(LeaseLost):
        enter_stage(claim=slow, state=Round.State.TRAINING, now=NOON + LEASE)
    with pytest.raises(LeaseLost):
        fail_round(claim=slow, reason="late", now=NOON + LEASE)
    training.refresh_from_db()
    assert training.state == Round.State.QUEUED


def test_a_heartbeat_keeps_the_lease() -> None:
    training = begin(shapes_project())
    claim = claim_round(round_id=training.pk, worker="one", now=NOON)
    assert claim is not None
    keep_lease(claim=claim, now=NOON + LEASE / 2)
    assert claim_round(round_id=training.pk, worker="two", now=NOON + LEASE) is None


def test_a_closed_round_is_claimed_by_nobody() -> None:
    training = begin(shapes_project())
    close(training)
    assert claim_round(round_id=training.pk, worker="one", now=NOON) is None


def test_the_sweeper_sends_a_lost_message_again_but_not_at_every_tick(
    sent, django_capture_on_commit_callbacks
) -> None:
    training = begin(shapes_project())
    with django_capture_on_commit_callbacks(execute=True):
        assert sweep_rounds(now=NOON) == 0
        assert sweep_rounds(now=NOON + HINT_EVERY) == 1
        assert sweep_rounds(now=NOON + HINT_EVERY) == 0
    assert (dispatch.TRAIN_ROUND, {"round_id": training.pk}) in sent


def test_the_sweeper_leaves_a_held_round_alone_and_finds_an_abandoned_one() -> None:
    training = begin(shapes_project())
    claim_round(round_id=training.pk, worker="one", now=NOON + HINT_EVERY)
    assert sweep_rounds(now=NOON + HINT_EVERY) == 0
    assert sweep_rounds(now=NOON + HINT_EVERY + LEASE) == 1


def test_a_round_that_kills_every_worker_is_closed_with_a_reason_in_words() -> None:
    training = begin(shapes_project())
    now = NOON
    for number in range(MOST_CLAIMS):
        claim = claim_round(round_id=training.pk, worker=f"number {number}", now=now)
        assert claim is not None
        enter_stage(claim=claim, state=Round.State.TRAINING, now=now)
        now += LEASE
    sweep_rounds(now=now - LEASE / 2)
    training.refresh_from_db()
    assert training.is_open, "the last worker may still come to its end"
    assert claim_round(round_id=training.pk, worker="one more", now=now) is None
    training.refresh_from_db()
    assert (training.state, training.finished_at) == (Round.State.FAILED, now)
    assert training.reason == (
        "5 workers took it and none came to its end, the last one was training; "
        "the workers' log says more"
    )
    assert sweep_rounds(now=now + HINT_EVERY) == 0


def test_a_broker_that_is_down_does_not_stop_a_round_from_opening(
    settings, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError("no broker")

    monkeypatch.setattr(dispatch.current_app, "send_task", refuse)
    with django_capture_on_commit_callbacks(execute=True):
        training = begin(shapes_project())
    assert Round.objects.get(pk=training.pk).state == Round.State.QUEUED


@pytest.mark.django_db(transaction=True)
def test_a_broker_whose_address_is_none_does_not_stop_a_round_from_opening(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("Redis URL must specify a scheme")

    monkeypatch.setattr(dispatch.current_app, "send_task", refuse)
    training = begin(shapes_project())
    assert Round.objects.get(pk=training.pk).state == Round.State.QUEUED
    assert "Redis URL must specify a scheme" in caplog.text


def test_no_shards_are_swept_for_a_version_that_does_not_serve() -> None:
    assert RankingShard.objects.count() == 0
    assert sweep_rounds(now=NOON) == 0
