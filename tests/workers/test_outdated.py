"""Features of describers: kept while a network may be asked that reads them, and no longer."""

import pytest
import torch

from labelhub.projects.models import Project
from tests.factories import NOON
from tests.pictured import striped_project
from tests.workers.untrained import untrained_version
from workers.datasets import Pictures, fill_shards
from workers.networks import load_network
from workers.outdated import clear_features

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(settings, tmp_path) -> Project:
    settings.DATA_DIR = tmp_path
    return striped_project(images=12, recipe="features")


def described(pictures: Pictures, *names: str) -> None:
    for name in names:
        (pictures.pixels.folder / f"features-{name}").mkdir()


def test_features_that_nobody_reads_any_more_go(project: Project) -> None:
    pictures = fill_shards(project=project)
    own = pictures.describer().name
    described(pictures, own, "old", "older")
    assert clear_features(project=project, pictures=pictures) == 2
    assert list(pictures.described_by()) == [own]
    assert clear_features(project=project, pictures=pictures) == 0


def test_features_that_the_version_in_service_or_the_one_before_reads_stay(
    project: Project,
) -> None:
    pictures = fill_shards(project=project)
    read = set()
    for _ in range(2):
        version = untrained_version(project)
        network = load_network(project=project, sha256=version.sha256)
        network.get_buffer("patch_offsets").add_(torch.tensor(float(version.number)))
        read.add(network.describer.name)
        project.rounds.update(state="done", finished_at=NOON)
    described(pictures, pictures.describer().name, "old", *read)
    assert clear_features(project=project, pictures=pictures) == 1
    assert set(pictures.described_by()) == {pictures.describer().name, *read}


def test_where_a_network_cannot_be_asked_what_it_reads_all_stay(project: Project) -> None:
    """Its file may be out of reach for a moment only; the Round that tidies up goes on."""
    pictures = fill_shards(project=project)
    version = untrained_version(project)
    version.sha256 = "0" * 64
    version.save(update_fields=["sha256"])
    described(pictures, pictures.describer().name, "old")
    assert clear_features(project=project, pictures=pictures) == 0
    assert set(pictures.described_by()) == {pictures.describer().name, "old"}
