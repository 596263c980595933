"""A version whose files are lost or damaged is never put in service by going back to it."""

from pathlib import Path

import pytest
from safetensors import safe_open

from labelhub.projects.models import Project
from labelhub.rounds.model_files import file_trouble, model_folder
from labelhub.rounds.models import ModelVersion
from labelhub.rounds.rollback import end_hopeless_rankings, roll_back
from tests.factories import NOON, shapes_project
from tests.rounds.published import fail_at, finish_ranking, publish

pytestmark = pytest.mark.django_db


def published(count: int) -> tuple[Project, list[ModelVersion]]:
    """So many versions, one after the other; the last serves."""
    project, versions = shapes_project(), []
    for _ in range(count):
        versions.append(publish(project))
        finish_ranking(versions[-1])
    return project, versions


def file_of(version: ModelVersion, sha256: str) -> Path:
    return model_folder(version.project) / f"{sha256}.safetensors"


def common_of(version: ModelVersion) -> Path:
    """The file that its networks share."""
    with safe_open(file_of(version, version.sha256), framework="numpy") as file:
        return file_of(version, file.metadata()["common"])


def test_the_files_of_a_version_are_whole_until_one_is_not() -> None:
    _, [version] = published(1)
    assert file_trouble(version=version) == ""
    path = file_of(version, version.fold_sha256[1])
    path.write_bytes(path.read_bytes()[:-1])
    assert file_trouble(version=version) == f"its file {path} is damaged"
    path.unlink()
    assert (
        file_trouble(version=version)
        == f"its file {path} cannot be read (No such file or directory)"
    )


def test_a_file_that_the_networks_share_counts_too() -> None:
    _, [version] = published(1)
    shared = common_of(version)
    shared.unlink()
    assert str(shared) in file_trouble(version=version)


def test_nobody_goes_back_to_a_damaged_version_and_the_file_is_named() -> None:
    project, [first, second] = published(2)
    path = file_of(first, first.sha256)
    path.write_bytes(b"damaged")
    with pytest.raises(LookupError) as refused:
        roll_back(project=project, to_number=None, now=NOON)
    assert str(refused.value) == (
        f"version 1 of {project.name} cannot serve again: its file {path} is damaged; bring it "
        "back from the backup, or name another version"
    )
    assert ModelVersion.objects.get(serving=True) == second


def test_where_a_version_is_withdrawn_the_last_whole_one_before_it_serves() -> None:
    project, [first, second] = published(2)
    broken = publish(project)
    file_of(second, second.sha256).unlink()
    fail_at(broken, trouble="its file is gone")
    assert end_hopeless_rankings(now=NOON) == [broken.round]
    assert ModelVersion.objects.get(serving=True) == first


def test_where_none_before_it_is_whole_none_serves() -> None:
    project, [first] = published(1)
    broken = publish(project)
    file_of(first, first.fold_sha256[0]).unlink()
    fail_at(broken, trouble="its file is gone")
    end_hopeless_rankings(now=NOON)
    assert not ModelVersion.objects.filter(serving=True).exists()
