"""Ranking: what it reads, what it writes, and what becomes of it when it cannot go on."""

from threading import Event, Thread

import pytest
from django.db import connection

from classifier.checkpoint import BadCheckpoint
from labelhub.projects.models import Project
from labelhub.rounds.model_files import model_folder
from labelhub.rounds.models import ModelVersion, Prediction, Round
from labelhub.rounds.rollback import roll_back
from labelhub.rounds.shards import MOST_TRIES, start_ranking
from labelhub.rounds.sweeping import sweep_shards
from labelhub.votes.models import Consensus
from tests.factories import NOON
from tests.pictured import striped_project
from tests.workers.untrained import clock, rank, untrained_version
from workers import datasets, ranking
from workers.following import rank_here

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_version_ranks_at_its_own_picture_size_whatever_the_project_was_changed_to() -> None:
    project = striped_project(images=12)
    version = untrained_version(project)
    Project.objects.filter(pk=project.pk).update(image_size=24, channels=1)
    rank(version)
    assert Prediction.objects.filter(model_version=version).count() == 12
    assert Round.objects.get().state == Round.State.DONE


def test_a_version_whose_file_is_gone_is_withdrawn_and_the_one_before_serves_again() -> None:
    project = striped_project(images=12)
    good = untrained_version(project)
    rank(good)
    broken = untrained_version(project)
    ModelVersion.objects.filter(pk=broken.pk).update(before=good)
    (model_folder(project) / f"{broken.fold_sha256[0]}.safetensors").unlink()
    for _ in range(MOST_TRIES):
        with pytest.raises(BadCheckpoint, match="no such file"):
            rank(broken)
    assert not Prediction.objects.filter(model_version=broken).exists()
    sweep_shards(now=NOON)
    ended = Round.objects.get(model_version=broken)
    assert ended.state == Round.State.FAILED
    assert f"{broken.fold_sha256[0]}.safetensors: there is no such file" in ended.reason
    assert "version 1 serves now" in ended.reason
    rank(good)
    assert set(Consensus.objects.values_list("model_version", flat=True)) == {good.number}


def test_a_version_whose_file_is_another_one_is_withdrawn_without_any_worker_too() -> None:
    project = striped_project(images=12)
    version = untrained_version(project)
    file = model_folder(project) / f"{version.sha256}.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\0")
    assert rank_here(version=version, clock=clock) == 0
    ended = Round.objects.get()
    assert ended.state == Round.State.FAILED
    assert "its SHA-256 is" in ended.reason
    assert "no version serves now" in ended.reason


def test_a_shard_reads_its_own_pictures_and_no_others(monkeypatch) -> None:
    project, elsewhere = striped_project(images=12), striped_project(name="Others", images=6)
    images = list(project.images.order_by("pk").values_list("pk", flat=True))
    version = untrained_version(project)
    start_ranking(model_version=version, shards=[(images[0], images[3])], now=NOON)
    opened: list[str] = []
    real = datasets.full_pixels

    def spy(sha256: str, size: tuple[int, int]):
        opened.append(sha256)
        return real(sha256, size)

    monkeypatch.setattr(datasets, "full_pixels", spy)
    rank(version)
    own = project.images.filter(pk__in=images[:4]).values_list("sha256", flat=True)
    assert sorted(opened) == sorted(own)
    assert Prediction.objects.count() == 4
    assert not Prediction.objects.filter(image__project=elsewhere).exists()


def test_a_version_replaced_in_mid_ranking_is_not_heard_any_more(monkeypatch) -> None:
    project = striped_project(images=12)
    version = untrained_version(project)
    real = ranking.write_predictions

    def replaced_meanwhile(**arguments) -> None:
        real(**arguments)
        ModelVersion.objects.filter(pk=version.pk).update(serving=False)

    monkeypatch.setattr(ranking, "write_predictions", replaced_meanwhile)
    rank(version)
    assert set(Consensus.objects.values_list("model_version", flat=True)) == {None}


def test_a_rollback_waits_for_the_rows_that_are_being_written(monkeypatch) -> None:
    """Either order is right; half of each is not."""
    project = striped_project(images=12)
    good = untrained_version(project)
    rank(good)
    bad = untrained_version(project)
    ModelVersion.objects.filter(pk=bad.pk).update(before=good)
    real, events = ranking.refresh_consensus, []
    rolled_back = Event()

    def roll_back_meanwhile() -> None:
        try:
            roll_back(project=project, to_number=None, now=NOON)
            events.append("rolled back")
            rolled_back.set()
        finally:
            connection.close()

    person = Thread(target=roll_back_meanwhile)

    def slowly(**arguments):
        person.start()
        assert not rolled_back.wait(0.5), "it did not wait"
        batch = real(**arguments)
        events.append("believed")
        return batch

    monkeypatch.setattr(ranking, "refresh_consensus", slowly)
    rank(bad)
    person.join()
    assert events == ["believed", "rolled back"]
