"""Folders of workers: nothing is left of Rounds that are over."""

import pytest

from labelhub.projects.models import Project
from labelhub.rounds.models import Round
from tests.factories import NOON, shapes_project
from workers.places import clear_round_folders, round_folder

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return shapes_project()


def test_what_a_worker_killed_at_the_end_has_left_is_cleared_and_nothing_else(
    project: Project,
) -> None:
    folders = {}
    for number, state in enumerate(["done", "failed", "training"]):
        row = Round.objects.create(project=project, number=number, state=state, finished_at=NOON)
        folders[state] = round_folder(row)
    ranking = Round.objects.create(project=shapes_project(name="More"), number=1, state="ranking")
    folders["ranking"] = round_folder(ranking)
    folders["gone with its project"] = folders["done"].with_name("99999")
    folders["gone with its project"].mkdir()
    assert clear_round_folders() == 4
    assert {name for name, folder in folders.items() if folder.exists()} == {"training"}
    assert clear_round_folders() == 0
