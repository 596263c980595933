"""A vote that arrives while a promotion rewrites its images is counted all the same."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from django.db import connection, transaction

from labelhub.annotators.models import Annotator
from labelhub.projects.models import LabelClass, Project
from labelhub.votes.consensus import Basis
from labelhub.votes.models import Consensus
from labelhub.votes.parameters import first_parameters, new_parameters
from labelhub.votes.services import NewVote, record_votes, refresh_consensus
from tests.factories import NOON, shapes_project, visitor

SECONDS = 20.0


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def promote(project: Project, images: list[int], rewritten: Event, asked: Event) -> None:
    """Rest the images on new Parameters, and commit once somebody waits for them."""
    try:
        old = first_parameters(project=project, now=NOON)
        new = new_parameters(project=project, crowd=old.crowd, now=NOON)
        with transaction.atomic():
            refresh_consensus(images=images, now=NOON, basis=Basis(new, 1, {}))
            rewritten.set()
            assert asked.wait(SECONDS)
            pause = Event()
            for _ in range(400 if connection.vendor == "postgresql" else 0):
                if somebody_waits():
                    break
                pause.wait(0.05)
    finally:
        connection.close()


def vote(ada: Annotator, circle: LabelClass, images: list[int], asked: Event) -> int:
    try:
        asked.set()
        votes = [NewVote(image, circle.pk, answer=True) for image in images]
        batch = record_votes(
            project=ada.project, annotator=ada, votes=votes, challenge="c", now=NOON
        )
        return len(batch.states)
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_careful_adas_votes_count_while_a_promotion_rewrites_their_images() -> None:
    project = shapes_project(images=12, gold_per_class=0)
    ada, circle = visitor(project), project.label_classes.get(key="circle")
    images = sorted(project.images.values_list("pk", flat=True))
    rewritten, asked = Event(), Event()
    with ThreadPoolExecutor(2) as pool:
        promotion = pool.submit(promote, project, images, rewritten, asked)
        assert rewritten.wait(SECONDS)
        voting = pool.submit(vote, ada, circle, images, asked)
        promotion.result(SECONDS)
        assert voting.result(SECONDS) == 12
    rows = Consensus.objects.filter(image__in=images)
    assert {row.humans for row in rows} == {1}
    assert {row.parameters.version for row in rows} == {2}
