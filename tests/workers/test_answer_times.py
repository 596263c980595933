"""What a tile and a choice cost is learned from how long people take."""

from datetime import timedelta

import pytest

from labelhub.challenges.models import Challenge
from labelhub.projects.models import Project
from labelhub.votes.questions import Costs
from tests.factories import NOON, shapes_project, visitor
from workers.answer_times import measured_costs

pytestmark = pytest.mark.django_db


def answered(project: Project, form: str, seconds: float, count: int, state: str = "answered"):
    ada = visitor(project)
    places = 9 if form == "grid" else 1
    asked = project.label_classes.earliest("pk") if form == "grid" else None
    Challenge.objects.bulk_create(
        Challenge(
            public_id=f"{form}-{seconds}-{number}",
            project=project,
            annotator=ada,
            form=form,
            label_class=asked,
            places=places,
            state=state,
            issued_at=NOON,
            expires_at=NOON + timedelta(hours=1),
            spent_at=NOON + timedelta(seconds=seconds * places),
            answer=[] if state == "answered" else None,
        )
        for number in range(count)
    )


def test_nobody_measured_yet_takes_the_usual_times() -> None:
    assert measured_costs(project=shapes_project()) == Costs()


def test_many_quick_grids_and_slow_choices_are_believed() -> None:
    project = shapes_project()
    answered(project, "grid", 0.8, 400)
    answered(project, "choice", 7.0, 400)
    found = measured_costs(project=project)
    assert found.tile == pytest.approx(0.8, rel=0.05)
    assert found.choice == pytest.approx(7.0, rel=0.05)


def test_three_grids_move_the_usual_time_little_and_skipped_ones_not_at_all() -> None:
    project = shapes_project()
    answered(project, "grid", 0.5, 3)
    answered(project, "grid", 9.0, 300, state="skipped")
    assert 1.3 < measured_costs(project=project).tile < 1.7


def test_who_left_a_sheet_lying_or_did_not_look_is_left_out() -> None:
    project = shapes_project()
    answered(project, "choice", 3.0, 100)
    answered(project, "choice", 600.0, 150)
    answered(project, "choice", 0.01, 150)
    assert measured_costs(project=project).choice == pytest.approx(3.0, rel=0.08)
