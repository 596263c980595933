"""A crowd that does well is graded less, and one with people in it who do not is graded more."""

import pytest

from labelhub.annotators.models import Annotator
from labelhub.annotators.skill import DOUBTED, LEAST_DOUBT, Skill, doubt
from labelhub.challenges.models import Tile
from labelhub.challenges.services import issue_challenge
from labelhub.projects.models import Progress, Project
from labelhub.rounds.progress import count_progress
from tests.factories import NOON, dice, reread, shapes_project, visitor

GOOD, BLIND = Skill(yes=10, hits=10, no=10, false_alarms=0), Skill(12, 12, 12, 12)
NEW = Skill(1, 0, 1, 1)


def test_nobody_measured_is_full_doubt() -> None:
    assert doubt([]) == 1.0
    assert doubt([NEW] * 100) == 1.0  # two graded tiles each say nothing of anybody


def test_a_crowd_that_does_well_is_doubted_less_with_every_person_down_to_the_least() -> None:
    few, more, many = (doubt([GOOD] * people) for people in (1, 4, 100))
    assert 1.0 > few > more > many == LEAST_DOUBT


def test_as_many_bad_people_as_expected_is_full_doubt_again() -> None:
    bad, good = DOUBTED
    fifth = [BLIND] * int(10 * bad) + [GOOD] * int(10 * good)
    assert doubt(fifth) == pytest.approx(1.0)
    assert doubt([BLIND] * 50) == 1.0


def judged(project: Project, skill: Skill, people: int) -> None:
    """So many more people with these graded tiles."""
    for _ in range(people):
        Annotator.objects.filter(pk=visitor(project).pk).update(
            graded_yes=skill.yes,
            graded_hits=skill.hits,
            graded_no=skill.no,
            graded_false_alarms=skill.false_alarms,
        )


def graded_grids(annotator: Annotator, grids: int) -> int:
    """How many of so many first grids hold Gold."""
    held = 0
    for seed in range(grids):
        sheet = issue_challenge(annotator=reread(annotator), now=NOON, generator=dice(seed))
        held += sheet.tiles.filter(reason=Tile.Reason.GOLD).exists()
        sheet.delete()
    return held


@pytest.mark.django_db
def test_the_count_of_progress_reaches_the_grids() -> None:
    project = shapes_project(images=900, gold_per_class=20, graded_share=1.0)
    judged(project, GOOD, people=30)
    ada = Annotator.objects.filter(project=project).first()
    assert ada is not None
    assert graded_grids(ada, 20) == 20
    count_progress(now=NOON)
    assert Progress.objects.get(project=project).doubt == LEAST_DOUBT
    assert 0 < graded_grids(ada, 20) < 20
    judged(project, BLIND, people=10)
    count_progress(now=NOON)
    assert graded_grids(ada, 20) == 20


@pytest.mark.django_db
def test_a_stranger_is_graded_in_every_grid_however_good_the_crowd_is() -> None:
    project = shapes_project(images=300, gold_per_class=20)
    judged(project, GOOD, people=30)
    count_progress(now=NOON)
    assert graded_grids(visitor(project), 10) == 10
