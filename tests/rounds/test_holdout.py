"""What is set aside to measure by: a random sample that no Round has learned from."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from labelhub.projects.models import Project
from labelhub.projects.services import HOLDOUT_LEAST
from labelhub.rounds.holdout import top_up_holdout
from labelhub.rounds.models import Candidate, Round
from labelhub.votes.services import NewVote, record_votes
from tests.factories import NOON, add_shapes, shapes_project, visitor

pytestmark = pytest.mark.django_db


def held(project: Project) -> set[str]:
    return set(project.images.filter(holdout=True).values_list("sha256", flat=True))


def smallest(project: Project, count: int) -> set[str]:
    return set(project.images.order_by("sha256").values_list("sha256", flat=True)[:count])


def read_by_a_round(project: Project) -> None:
    Round.objects.create(project=project, number=1, last_image=project.images.latest("pk").pk)


def test_what_comes_first_makes_room_for_what_comes_later() -> None:
    project = shapes_project(images=1000)
    assert top_up_holdout(project=project, now=NOON) == HOLDOUT_LEAST
    assert held(project) == smallest(project, HOLDOUT_LEAST)
    add_shapes(project, count=500, start=1000)
    assert top_up_holdout(project=project, now=NOON) == 0
    assert held(project) == smallest(project, HOLDOUT_LEAST)
    waiting = Candidate.objects.filter(project=project, queue=Candidate.Queue.HOLDOUT)
    in_holdout = project.images.filter(holdout=True, gold__isnull=True)
    assert set(waiting.values_list("image", flat=True)) == set(
        in_holdout.values_list("pk", flat=True)
    )


def test_an_image_that_people_have_voted_on_keeps_its_place() -> None:
    project = shapes_project(images=1000, gold_per_class=0)
    top_up_holdout(project=project, now=NOON)
    last = project.images.filter(holdout=True).order_by("sha256").last()
    circle = project.label_classes.get(key="circle")
    vote = NewVote(last.pk, circle.pk, answer=True)
    record_votes(project=project, annotator=visitor(project), votes=[vote], challenge="c", now=NOON)
    add_shapes(project, count=500, start=1000)
    top_up_holdout(project=project, now=NOON)
    assert last.sha256 in held(project)
    assert len(held(project)) == HOLDOUT_LEAST


def test_an_image_that_a_round_has_read_is_never_set_aside_or_let_go() -> None:
    project = shapes_project(images=60)
    top_up_holdout(project=project, now=NOON)
    before = held(project)
    assert len(before) == 12
    read_by_a_round(project)
    add_shapes(project, count=40, start=60)
    assert top_up_holdout(project=project, now=NOON) == 8
    assert before < held(project)
    assert project.images.filter(holdout=True, pk__lte=Round.objects.get().last_image).count() == 12


def test_an_image_imported_between_a_rounds_opening_and_its_snapshot_is_never_set_aside() -> None:
    project = shapes_project(images=60)
    Round.objects.create(project=project, number=1, opened_at=NOON)
    add_shapes(project, count=60, start=60)
    Round.objects.update(last_image=project.images.latest("pk").pk)
    assert top_up_holdout(project=project, now=NOON) == 0


def test_a_topping_up_looks_at_as_many_rows_whatever_the_size_of_the_project(
    django_assert_max_num_queries,
) -> None:
    project = shapes_project(images=300)
    top_up_holdout(project=project, now=NOON)
    with django_assert_max_num_queries(8):
        assert top_up_holdout(project=project, now=NOON) == 0


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_do_not_set_aside_too_many() -> None:
    project = shapes_project(images=200)
    together = Barrier(2)

    def top_up(_: int) -> int:
        try:
            together.wait()
            return top_up_holdout(project=project, now=NOON)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as people:
        assert sorted(people.map(top_up, range(2))) == [0, 40]
    assert held(project) == smallest(project, 40)
