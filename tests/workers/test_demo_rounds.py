"""What a headless demo tells of its Rounds, and when it gives up."""

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command

from fixtures.shapes import draw_shapes
from labelhub.projects.models import Project
from labelhub.rounds.models import Round
from labelhub.rounds.services import claim_round, fail_round, open_round
from tests.factories import NOON
from tests.workers.coloured import COLOURS, coloured_project
from workers.demo.rounds import RoundFailed, TimeIsUp, Yardstick, tell_rounds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    return coloured_project()


def told_of(project: Project, *, count: int = 1, hours: int = 0) -> list[str]:
    """What is said of ``count`` Rounds, ``hours`` after the beginning."""
    said: list[str] = []
    key_of = {
        image.sha256: list(COLOURS)[int(image.name.split(".")[0]) % 2]
        for image in project.images.all()
    }
    tell_rounds(
        project=project,
        count=count,
        since=NOON,
        limit=timedelta(hours=1),
        yardstick=Yardstick(key_of, _fresh()),
        clock=lambda: NOON + timedelta(hours=hours),
        pause=_never,
        say=said.append,
    )
    return said


def _fresh() -> Any:
    drawn = draw_shapes(count=20, seed=3)
    return type(drawn)(drawn.images[:, ::2, ::2].copy(), drawn.labels, drawn.classes)


def _never(_: float) -> None:
    raise AssertionError("there is nothing to wait for")


def opened(project: Project) -> Round:
    return open_round(project=project, trigger=Round.Trigger.PERSON, opened_by_id=None, now=NOON)


def test_a_promoted_round_is_told_with_its_figures_and_the_most_uncertain_images(
    project: Project,
) -> None:
    call_command("run_round", project.slug, "--wait", stdout=StringIO())
    said = told_of(project)
    assert said[0].startswith("Round 1: promoted: right on ")
    assert said[1].startswith("  votes 0, settled 0 of 8, labels right ")
    assert said[2].endswith("in service: 0.0% of 20 fresh pictures")  # colours are no shapes
    assert ": snapshot " in said[3]
    assert ", rank " in said[3]
    assert said[4].startswith("  most uncertain: ")
    assert said[4].count(".png (") == 5


def test_a_round_that_failed_ends_the_telling_with_its_reason(project: Project) -> None:
    claim = claim_round(round_id=opened(project).pk, worker="one", now=NOON)
    assert claim is not None
    fail_round(claim=claim, reason="the disk is full", now=NOON)
    with pytest.raises(RoundFailed, match="Round 1 failed: the disk is full"):
        told_of(project)


def test_a_telling_that_takes_too_long_says_where_things_stand(project: Project) -> None:
    with pytest.raises(TimeIsUp, match="0 of 2 Rounds ended within 60 minutes; none was opened"):
        told_of(project, count=2, hours=2)
    opened(project)
    with pytest.raises(TimeIsUp, match="Round 1 is queued"):
        told_of(project, count=2, hours=2)


def test_rounds_that_ended_before_do_not_count(project: Project) -> None:
    claim = claim_round(round_id=opened(project).pk, worker="one", now=NOON)
    assert claim is not None
    fail_round(claim=claim, reason="long ago", now=NOON - timedelta(days=1))
    with pytest.raises(TimeIsUp):
        told_of(project, hours=2)
