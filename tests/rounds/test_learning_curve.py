"""The learning curve: what every Round knew, and what came of it."""

import pytest

from labelhub.projects.models import Project
from labelhub.rounds.models import ModelVersion, Round
from labelhub.rounds.selectors import learning_curve
from tests.dashboard.given import MEASURED, past_round, running_round
from tests.factories import shapes_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return shapes_project()


def test_the_curve_goes_from_the_oldest_round_to_the_newest_refused_ones_too(
    project: Project,
) -> None:
    past_round(project, accuracy=0.6)
    past_round(project, accuracy=0.5, promoted=False)
    past_round(project, accuracy=0.9, provisional=False)
    curve = learning_curve(project=project)
    assert [(one.round, one.accuracy, one.promoted) for one in curve] == [
        (1, 0.6, True),
        (2, 0.5, False),
        (3, 0.9, True),
    ]
    assert [one.provisional for one in curve] == [True, True, False]
    assert curve[2].measured_on == "holdout images"
    assert {one.measured for one in curve} == {MEASURED}


def test_a_point_says_what_was_known_when_it_learned(project: Project) -> None:
    version = past_round(project, accuracy=0.9)
    Round.objects.update(snapshot={"trainable": 412, "votes": 700})
    ModelVersion.objects.filter(pk=version.pk).update(
        metrics={**version.metrics, "interval": [0.81, 0.95]}
    )
    [point] = learning_curve(project=project)
    assert (point.labels, point.votes, point.interval) == (412, 700, (0.81, 0.95))


def test_rounds_from_before_that_was_counted_have_a_point_all_the_same(project: Project) -> None:
    past_round(project, accuracy=0.9)
    Round.objects.update(snapshot={})
    [point] = learning_curve(project=project)
    assert (point.labels, point.votes, point.interval) == (None, None, None)


def test_rounds_that_measured_nothing_are_no_points(project: Project) -> None:
    running_round(project)
    version = past_round(project, accuracy=0.9, promoted=False)
    ModelVersion.objects.filter(pk=version.pk).update(metrics={"images": 0, "accuracy": None})
    without = past_round(project, accuracy=0.9, promoted=False)
    ModelVersion.objects.filter(pk=without.pk).update(metrics={"measured_on": "Gold images"})
    assert learning_curve(project=project) == ()


def test_the_latest_of_many_rounds_are_told_in_one_query(
    project: Project, django_assert_num_queries
) -> None:
    for place in range(5):
        past_round(project, accuracy=0.5 + place / 10)
    past_round(shapes_project(name="Other"), accuracy=0.1)
    with django_assert_num_queries(1):
        curve = learning_curve(project=project, most=2)
    assert [one.round for one in curve] == [4, 5]
