"""The label snapshot: one moment, no vote left out of the news, nothing of the holdout taught."""

import pytest
from django.db import connection

from labelhub.projects.models import Image, Project
from labelhub.rounds.models import Round
from labelhub.rounds.selectors import images_with_news
from labelhub.rounds.services import claim_round, close_holdout, open_round
from labelhub.votes.parameters import first_parameters
from tests.factories import NOON, shapes_project
from tests.pictured import striped_project, vote_rightly
from workers import snapshot as module
from workers.reading import one_reading
from workers.snapshot import Snapshot, take_snapshot

pytestmark = pytest.mark.django_db(transaction=True)


def taken(project: Project) -> Snapshot:
    return take_snapshot(project=project, model=first_parameters(project=project, now=NOON))


def test_a_vote_cast_while_the_labels_are_read_is_news_for_the_next_round(
    monkeypatch, settings, tmp_path
) -> None:
    settings.DATA_DIR = tmp_path
    project = striped_project(images=30)
    vote_rightly(project, 5)
    real = module.last_vote

    def and_then_people_vote(**arguments) -> int:
        found = real(**arguments)
        vote_rightly(project, 8)
        return found

    monkeypatch.setattr(module, "last_vote", and_then_people_vote)
    snapshot = taken(project)
    Round.objects.create(project=project, number=1, last_vote=snapshot.last_vote)
    assert images_with_news(project=project) == 8


def test_all_readings_of_the_labels_see_the_same_moment(monkeypatch) -> None:
    project = shapes_project()
    seen: list[int] = []
    real = module._labelled

    def spy(project: Project):
        assert not connection.in_atomic_block or connection.vendor == "postgresql"
        rows = real(project)
        seen.append(len(rows))
        other = connection.copy()
        with other.cursor() as cursor:  # somebody else
            cursor.execute("UPDATE votes_consensus SET humans = 1")
        other.close()
        seen.append(len(real(project)))
        return rows

    monkeypatch.setattr(module, "_labelled", spy)
    taken(project)
    assert seen == [12, 12]


def test_a_reading_that_failed_leaves_nothing_open() -> None:
    with pytest.raises(ZeroDivisionError), one_reading():
        raise ZeroDivisionError
    with one_reading():
        assert not Image.objects.exists()


def test_an_image_set_aside_while_the_labels_were_read_is_not_taught() -> None:
    project = shapes_project()
    snapshot = taken(project)
    late = project.images.filter(gold__isnull=False).first()
    Image.objects.filter(pk=late.pk).update(holdout=True)
    opened = open_round(project=project, trigger=Round.Trigger.PERSON, opened_by_id=None, now=NOON)
    claim = claim_round(round_id=opened.pk, worker="one", now=NOON)
    held = close_holdout(claim=claim, last_image=snapshot.last_image, now=NOON)
    taught = snapshot.without(held)
    assert late.pk in snapshot.images[snapshot.trainable]
    assert late.pk not in taught.images[taught.trainable]
    assert Round.objects.get().last_image == project.images.latest("pk").pk
