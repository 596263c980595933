"""How many of the settled are wrong, as the dashboard says it in every state."""

import pytest
from django.test import Client

from labelhub.challenges.checks import LevelError
from labelhub.projects.models import Project
from labelhub.votes.settled_error import WrongShare

pytestmark = pytest.mark.django_db


def told(wrong: WrongShare | None, *, answered: int = 212) -> tuple[LevelError, ...]:
    """Three levels; of the least nothing is told."""
    return (
        LevelError(0.95, False, 5200, 0.011, answered, None),
        LevelError(0.98, True, 4800, 0.006, answered, wrong),
        LevelError(0.995, False, 4100, 0.002, answered, wrong),
    )


@pytest.fixture
def levels(monkeypatch: pytest.MonkeyPatch):
    def say(found: tuple[LevelError, ...]) -> None:
        for place in ("pages", "stats"):
            monkeypatch.setattr(f"labelhub.dashboard.{place}.settled_error", lambda project: found)

    return say


def details(client: Client, project: Project) -> str:
    answer = client.get(f"/dashboard/{project.slug}/details/")
    assert answer.status_code == 200
    return " ".join(answer.text.replace("\u00a0", " ").split())


def test_without_an_answer_it_says_where_they_will_come_from(ada: Client, project: Project) -> None:
    page = details(ada, project)
    assert "How many of the settled are wrong is not known yet" in page
    assert "No Checks answered yet: 2 % of the squares ask again about settled pictures" in page
    assert "bars-checked" not in page


def test_where_no_checks_are_asked_that_is_said(ada: Client, project: Project) -> None:
    Project.objects.filter(pk=project.pk).update(check_share=0)
    assert "No Checks are asked: the share of squares for them is 0" in details(ada, project)


def test_the_title_states_the_share_and_the_table_its_interval_and_what_was_claimed(
    ada: Client, project: Project, levels
) -> None:
    levels(told(WrongShare(0.012, 0.004, 0.034)))
    page = details(ada, project)
    assert "Of what is settled, about 1.2 % is wrong" in page
    assert "0.4 % to 3.4 %" in page
    assert "0.6 %" in page
    assert "too few answers" in page  # of what is less sure
    assert page.count("settles</span>") == 1
    assert 'class="bar-interval" x="11.76%" width="88.24%"' in page  # the widest is 3.4 %


def test_when_nothing_wrong_was_seen_nobody_says_that_all_is_right(
    ada: Client, project: Project, levels
) -> None:
    levels(told(WrongShare(0.0, 0.0, 0.018)))
    page = details(ada, project)
    assert "Of what is settled, under 1.8 % is wrong" in page
    assert "none seen" in page


def test_few_answers_are_counted_and_tell_no_share(ada: Client, project: Project, levels) -> None:
    levels(told(None, answered=7))
    page = details(ada, project)
    assert "How many of the settled are wrong is not known yet" in page
    assert "7 Checks are answered; from 20 on it is told." in page
    levels(told(None, answered=40))
    assert "40 Checks are answered, too few of them about the less sure" in details(ada, project)


def test_programs_get_the_same_numbers(ada: Client, project: Project, levels) -> None:
    levels(told(WrongShare(0.012, 0.004, 0.034)))
    found = ada.get(f"/dashboard/{project.slug}/stats.json").json()["settled_error"]
    assert [row["level"] for row in found] == [0.95, 0.98, 0.995]
    assert found[0]["wrong"] is None
    assert found[1] == {
        "level": 0.98,
        "settles": True,
        "images": 4800,
        "claimed": 0.006,
        "answered": 212,
        "wrong": {"share": 0.012, "low": 0.004, "high": 0.034},
    }
