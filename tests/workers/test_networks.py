"""A finished network is published by its hash, in one step, whatever the file system."""

import errno
import hashlib
import logging
import os
from pathlib import Path

import pytest
from torch import nn

from classifier.checkpoint import BadCheckpoint, LoadedModel
from classifier.config import TrainConfig
from labelhub.projects.models import Project
from labelhub.rounds.model_files import model_folder
from tests.factories import shapes_project
from workers.networks import publish

pytestmark = pytest.mark.django_db
NETWORK = b"a network"
SHA256 = hashlib.sha256(NETWORK).hexdigest()
SHARED = b"what they share"
COMMON = hashlib.sha256(SHARED).hexdigest()


def finished(*, common: str | None = None) -> LoadedModel:
    return LoadedModel(nn.Identity(), TrainConfig(classes=3), {}, SHA256, common)


@pytest.fixture
def project() -> Project:
    return shapes_project()


def no_links(*_: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def linked_just_before(_: Path, target: Path) -> None:
    """Another worker publishes the same file in the same moment."""
    target.write_bytes(NETWORK)
    raise FileExistsError(errno.EEXIST, "File exists")


@pytest.mark.parametrize("link", [os.link, no_links, linked_just_before])
def test_a_network_is_published_where_links_are_not_to_be_had_and_twice_at_once(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link
) -> None:
    made = tmp_path / "network-0.safetensors"
    made.write_bytes(NETWORK)
    monkeypatch.setattr(os, "link", link)
    publish(project=project, model=finished(), path=made)
    published = list(model_folder(project).iterdir())
    assert [file.name for file in published] == [f"{SHA256}.safetensors"]
    assert published[0].read_bytes() == NETWORK


def test_what_a_network_has_in_common_with_others_is_published_with_it(
    project: Project, tmp_path: Path
) -> None:
    (tmp_path / f"{COMMON}.safetensors").write_bytes(SHARED)
    made = tmp_path / "network-0.safetensors"
    made.write_bytes(NETWORK)
    publish(project=project, model=finished(common=COMMON), path=made)
    published = {file.name for file in model_folder(project).iterdir()}
    assert published == {f"{SHA256}.safetensors", f"{COMMON}.safetensors"}


def test_what_ten_networks_have_in_common_is_no_news_ten_times(
    project: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (tmp_path / f"{COMMON}.safetensors").write_bytes(SHARED)
    made = tmp_path / "network-0.safetensors"
    made.write_bytes(NETWORK)
    for _ in range(10):
        publish(project=project, model=finished(common=COMMON), path=made)
    assert not [row.message for row in caplog.records if COMMON in row.message]


def test_a_file_that_was_changed_after_it_was_trained_is_never_published(
    project: Project, tmp_path: Path
) -> None:
    made = tmp_path / "network-0.safetensors"
    made.write_bytes(NETWORK[:-1])
    with pytest.raises(BadCheckpoint, match="it was changed after it was trained"):
        publish(project=project, model=finished(), path=made)
    assert not list(model_folder(project).iterdir())


def test_a_damaged_file_of_the_same_name_makes_room_for_the_sound_one(
    project: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = model_folder(project) / f"{SHA256}.safetensors"
    target.write_bytes(NETWORK[:3])
    made = tmp_path / "network-0.safetensors"
    made.write_bytes(NETWORK)
    publish(project=project, model=finished(), path=made)
    assert target.read_bytes() == NETWORK
    assert "was damaged and is replaced" in caplog.text
