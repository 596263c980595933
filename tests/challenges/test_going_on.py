"""Taking an answer and issuing the next grid in one transaction."""

from datetime import datetime
from typing import Any

import pytest
from django.db import OperationalError, connection

from labelhub.annotators.models import Annotator
from labelhub.challenges import services
from labelhub.challenges.answering import Reply
from labelhub.challenges.issuing import Clash, write_grid
from labelhub.challenges.models import Challenge
from labelhub.challenges.plans import Plan
from labelhub.challenges.services import issue_challenge, submit_answer_and_issue
from labelhub.projects.models import Project
from labelhub.votes.models import Vote
from tests.factories import NOON, dice, reread, shapes_project, visitor

pytestmark = pytest.mark.django_db


def go_on(
    annotator: Annotator, challenge: Challenge, *, keep: str | None = None
) -> tuple[Reply, Challenge | None]:
    return submit_answer_and_issue(
        annotator=annotator,
        public_id=challenge.public_id,
        selected=[0],
        now=NOON,
        generator=dice(7),
        keep=keep,
    )


def test_an_answer_brings_the_next_grid_along() -> None:
    ada = visitor(shapes_project())
    first = issue_challenge(annotator=ada, now=NOON, generator=dice())
    reply, following = go_on(ada, first)
    assert reply.judged == 9
    assert following is not None
    assert following.state == Challenge.State.OPEN
    assert issue_challenge(annotator=ada, now=NOON, generator=dice(2)) == following
    assert go_on(ada, first) == (reply, None)  # the same answer again


def test_the_grid_ahead_is_the_one_that_waits_already() -> None:
    ada = visitor(shapes_project())
    first = issue_challenge(annotator=ada, now=NOON, generator=dice(1))
    on_screen = issue_challenge(annotator=ada, now=NOON, generator=dice(2), keep=first.public_id)
    _, ahead = go_on(ada, first, keep=on_screen.public_id)
    assert ahead not in (None, first, on_screen)
    _, same = go_on(ada, on_screen, keep="")
    assert same == ahead


def test_an_answer_counts_although_others_took_the_images_of_the_next_grid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def clashing(*, annotator: Annotator, plan: Plan, now: datetime) -> Challenge:
        write_grid(annotator=annotator, plan=plan, now=now)
        raise Clash

    ada = visitor(shapes_project())
    challenge = issue_challenge(annotator=ada, now=NOON, generator=dice())
    monkeypatch.setattr(services, "write_grid", clashing)
    reply, following = go_on(ada, challenge)
    assert (reply.judged, following) == (9, None)
    assert Vote.objects.count() == 9
    assert list(Challenge.objects.all()) == [challenge]  # nothing of the other is left


def test_a_paused_project_takes_the_answer_and_brings_no_next_grid() -> None:
    ada = visitor(shapes_project())
    first = issue_challenge(annotator=ada, now=NOON, generator=dice(1))
    issue_challenge(annotator=ada, now=NOON, generator=dice(2), keep=first.public_id)
    Project.objects.update(status="paused")
    reply, following = go_on(reread(ada), first)
    assert (reply.judged, following) == (9, None)


@pytest.mark.parametrize("broken", ["plan_grid", "write_grid"])
def test_an_answer_counts_whatever_goes_wrong_with_the_next_grid(
    broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(**_: object) -> None:
        raise KeyError("a mistake of ours")

    ada = visitor(shapes_project())
    challenge = issue_challenge(annotator=ada, now=NOON, generator=dice())
    monkeypatch.setattr(services, broken, failing)
    reply, following = go_on(ada, challenge)
    assert (reply.judged, following) == (9, None)
    assert Vote.objects.count() == 9
    assert "a mistake of ours" in caplog.text


def test_the_same_answer_twice_at_once_brings_one_next_grid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ada = visitor(shapes_project(images=200))
    challenge = issue_challenge(annotator=ada, now=NOON, generator=dice())
    planning, replies = services.plan_grid, []

    def overtaken(**how: Any) -> Plan | None:
        plan = planning(**how)
        monkeypatch.setattr(services, "plan_grid", planning)
        replies.append(go_on(reread(ada), challenge))
        return plan

    monkeypatch.setattr(services, "plan_grid", overtaken)
    reply, following = go_on(ada, challenge)
    [(first, ahead)] = replies
    assert (reply, following) == (first, None)
    assert list(Challenge.objects.filter(state=Challenge.State.OPEN)) == [ahead]
    assert Vote.objects.count() == 9


def test_two_requests_at_once_get_the_same_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = visitor(shapes_project())
    planning, others = services.plan_grid, []

    def overtaken(**how: Any) -> Plan | None:
        plan = planning(**how)
        monkeypatch.setattr(services, "plan_grid", planning)
        others.append(issue_challenge(annotator=reread(ada), now=NOON, generator=dice()))
        return plan

    monkeypatch.setattr(services, "plan_grid", overtaken)
    assert [issue_challenge(annotator=ada, now=NOON, generator=dice())] == others


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_is_gone_with_its_transaction_is_never_said_to_be_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def writing_on_a_full_disk(**_: object) -> Challenge:
        with connection.cursor() as cursor:
            cursor.execute("ROLLBACK")  # as SQLite does by itself, savepoints and all
        raise OperationalError("database or disk is full")

    ada = visitor(shapes_project())
    challenge = issue_challenge(annotator=ada, now=NOON, generator=dice())
    monkeypatch.setattr(services, "write_grid", writing_on_a_full_disk)
    with pytest.raises(OperationalError, match="full"):
        go_on(ada, challenge)
    challenge.refresh_from_db()
    assert challenge.state == Challenge.State.OPEN
    assert not Vote.objects.exists()
    monkeypatch.undo()
    reply, following = go_on(ada, challenge)  # the page sends it again
    assert reply.judged == Vote.objects.count() == 9
    assert following is not None
