"""Shards of a ranking: cut whole, ranked in parts, stopped anywhere, taken again, two at once."""

from collections.abc import Callable
from itertools import chain
from threading import Barrier, Thread

import numpy as np
import pytest
from django.db import connection

from classifier.predict import logits, probabilities
from classifier.uncertainty import entropy
from labelhub.projects.models import Image, Project
from labelhub.rounds.models import Candidate, ModelVersion, Prediction, RankingShard, Round
from labelhub.rounds.shards import start_ranking
from labelhub.votes.models import Consensus
from tests.factories import NOON
from tests.pictured import striped_project, vote_rightly
from tests.workers.untrained import clock, rank, untrained_version
from workers import predicting, ranking
from workers.datasets import pictures_for
from workers.networks import load_network
from workers.predicting import predict
from workers.ranking import believe, rank_shard, shard_spans, write_predictions
from workers.recomputing import recompute_consensus

pytestmark = pytest.mark.django_db(transaction=True)


def lived_in_project() -> Project:
    """Forty images: some Gold, some held out, some that people have judged, most untouched."""
    project = striped_project(images=40, gold_per_class=2, holdout=True)
    vote_rightly(project, 9)
    return project


def written() -> list[object]:
    """All that a ranking writes, by image, without ids and times of rows."""
    predictions = Prediction.objects.order_by("image_id")
    consensus = Consensus.objects.order_by("image_id")
    queued = Candidate.objects.order_by("image_id")
    columns = ("image_id", "model_version", "prior", "probabilities", "humans", "settled")
    return [
        [(one.image_id, bytes(one.probabilities), bytes(one.prior)) for one in predictions],
        [tuple(map(_plain, row)) for row in consensus.values_list(*columns)],
        list(queued.values_list("image_id", "queue", "label_class", "priority", "probability")),
    ]


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


def disagreeing(project: Project) -> int:
    """How many Consensus rows are not what their votes and priors say."""
    found = recompute_consensus(project=project, write=False, now=NOON, on_progress=lambda _: None)
    return found.changed


@pytest.mark.parametrize("size", [1, 7, 40, 100])
def test_shards_hold_every_active_image_once(monkeypatch, size: int) -> None:
    monkeypatch.setattr(ranking, "SHARD_IMAGES", size)
    project, elsewhere = striped_project(images=20), striped_project(name="Others", images=20)
    Image.objects.filter(pk__in=project.images.values_list("pk", flat=True)[3:6]).update(
        status=Image.Status.EXCLUDED
    )
    spans = shard_spans(project=project)
    active = project.images.filter(status=Image.Status.ACTIVE)
    held = [list(active.filter(pk__range=span).values_list("pk", flat=True)) for span in spans]
    assert sorted(chain(*held)) == sorted(active.values_list("pk", flat=True))
    assert max(map(len, held)) <= size
    assert not elsewhere.images.filter(pk__range=spans[0]).exists()


def test_a_project_without_images_has_no_shards() -> None:
    assert shard_spans(project=striped_project(images=0, gold_per_class=0)) == []


def test_the_size_of_parts_and_transactions_changes_nothing(monkeypatch) -> None:
    project = lived_in_project()
    version = untrained_version(project)
    rank(version)
    whole = written()
    monkeypatch.setattr(ranking, "PART_IMAGES", 7)
    monkeypatch.setattr(ranking, "SHARD_IMAGES", 13)
    start_ranking(model_version=version, shards=shard_spans(project=project), now=NOON)
    rank(version)
    by_parts = written()
    for column in (1, 2):  # of a batch of another size the last bit may be another
        for one, other in zip(whole[0], by_parts[0], strict=True):
            assert one[0] == other[0]
            told = (np.frombuffer(row[column], dtype="<f4") for row in (one, other))
            np.testing.assert_allclose(*told, atol=1e-6)
    assert [row[-2:] for row in by_parts[1]] == [row[-2:] for row in whole[1]]  # people, settled
    assert disagreeing(project) == 0


def test_a_shard_ranked_twice_leaves_what_it_left_once() -> None:
    project = lived_in_project()
    version = untrained_version(project)
    rank(version)
    once = written()
    RankingShard.objects.update(finished_at=None, leased_until=None)
    rank(version)
    assert written() == once


class Killed(BaseException):
    """Ends a worker where it stands: nothing that handles errors sees it."""


def dies_at(monkeypatch, name: str, call: int) -> Callable[[], None]:
    """The worker dies in the given call of a step; gives what lets the next one live."""
    real, calls = getattr(ranking, name), 0

    def step(*arguments, **named):
        nonlocal calls
        calls += 1
        if calls == call:
            raise Killed
        return real(*arguments, **named)

    monkeypatch.setattr(ranking, name, step)
    return lambda: monkeypatch.setattr(ranking, name, real)


@pytest.mark.parametrize(
    ("step", "call"),
    [
        ("write_predictions", 1),
        ("write_predictions", 3),
        ("believe", 1),
        ("refresh_consensus", 2),
        ("requeue", 2),
        ("finish_shard", 1),
    ],
)
def test_a_shard_whose_worker_was_killed_is_taken_again_and_ranked_whole(
    monkeypatch, step: str, call: int
) -> None:
    monkeypatch.setattr(ranking, "PART_IMAGES", 8)
    monkeypatch.setattr(ranking, "WRITE_IMAGES", 10)
    project = lived_in_project()
    version = untrained_version(project)
    lives = dies_at(monkeypatch, step, call)
    shard = version.ranking_shards.get()
    with pytest.raises(Killed):
        rank_shard(shard_id=shard.pk, clock=clock)
    assert disagreeing(project) == 0  # whatever was written is whole
    assert RankingShard.objects.get().finished_at is None
    lives()
    RankingShard.objects.update(leased_until=None)  # as when the lease has run out
    assert rank_shard(shard_id=shard.pk, clock=clock).images == 40
    assert Round.objects.get().state == Round.State.DONE
    assert Prediction.objects.filter(model_version=version).count() == 40
    assert set(Consensus.objects.values_list("model_version", flat=True)) == {version.number}
    assert disagreeing(project) == 0


def test_two_workers_rank_two_shards_at_once(monkeypatch) -> None:
    monkeypatch.setattr(ranking, "SHARD_IMAGES", 20)
    monkeypatch.setattr(ranking, "WRITE_IMAGES", 4)
    project = lived_in_project()
    version = untrained_version(project)
    shards = list(version.ranking_shards.values_list("pk", flat=True))
    together, done = Barrier(len(shards)), []

    def work(shard: int) -> None:
        try:
            together.wait()
            done.append(rank_shard(shard_id=shard, clock=clock).images)
        finally:
            connection.close()

    workers = [Thread(target=work, args=(shard,)) for shard in shards]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert done == [20, 20]
    assert Round.objects.get().state == Round.State.DONE
    assert Prediction.objects.filter(model_version=version).count() == 40
    assert disagreeing(project) == 0


def test_a_picture_that_is_lost_costs_its_own_row_and_no_others(monkeypatch, settings) -> None:
    monkeypatch.setattr(ranking, "PART_IMAGES", 4)
    project = lived_in_project()
    lost = list(project.images.order_by("pk")[4:9])  # a whole part, and one more
    for image in lost:
        for file in settings.DATA_DIR.glob(f"pictures/*/{image.sha256}.*"):
            file.unlink()
    version = untrained_version(project)
    shard = version.ranking_shards.get()
    assert rank_shard(shard_id=shard.pk, clock=clock).images == 35
    ranked = set(Prediction.objects.values_list("image_id", flat=True))
    assert ranked == set(project.images.values_list("pk", flat=True)) - {one.pk for one in lost}


def test_predictions_come_before_what_rests_on_them() -> None:
    """A version that is replaced in between leaves Predictions, and no Consensus of its own."""
    project = lived_in_project()
    version = untrained_version(project)
    images = np.array(project.images.order_by("pk").values_list("pk", flat=True))
    pictures = pictures_for(version=version, images=images)
    ranked = predict(version=version, pictures=pictures, images=images)
    write_predictions(version=version, ranked=ranked)
    assert Prediction.objects.count() == 40
    assert set(Consensus.objects.values_list("model_version", flat=True)) == {None}
    believe(version=version, ranked=ranked, scores=np.zeros(40), clock=clock)
    assert set(Consensus.objects.values_list("model_version", flat=True)) == {version.number}


def test_networks_of_one_reading_rank_as_if_each_were_asked_alone(monkeypatch) -> None:
    project = striped_project(images=12, gold_per_class=1, holdout=True, recipe="features")
    version = untrained_version(project)
    images = np.array(project.images.order_by("pk").values_list("pk", flat=True))
    pictures = pictures_for(version=version, images=images)
    together = predict(version=version, pictures=pictures, images=images)
    monkeypatch.setattr(predicting, "in_one_reading", lambda *_: None)
    alone = predict(version=version, pictures=pictures, images=images)
    for column in ("images", "served", "priors", "entropies"):
        np.testing.assert_allclose(getattr(together, column), getattr(alone, column), atol=1e-4)
    assert len(version.fold_sha256) == 10
    assert not np.allclose(together.served, together.priors)


def test_what_is_written_of_doubt_is_taken_at_the_temperature_of_the_version() -> None:
    project = striped_project(images=12, gold_per_class=0)
    version = untrained_version(project)
    ModelVersion.objects.filter(pk=version.pk).update(temperature=0.05)
    rank(version)
    images = list(project.images.order_by("pk").values_list("pk", flat=True))
    pictures = pictures_for(version=version, images=np.array(images))
    z = logits(load_network(project=project, sha256=version.sha256), pictures.of(np.array(images)))
    told = Prediction.objects.order_by("image_id").values_list("entropy", flat=True)
    assert list(told) == pytest.approx(entropy(probabilities(z, 0.05)), abs=1e-5)
    assert not np.allclose(told, entropy(probabilities(z)), atol=1e-2)


def test_the_next_version_leaves_the_rows_of_the_one_before() -> None:
    project = lived_in_project()
    first = untrained_version(project)
    rank(first)
    before = list(Prediction.objects.order_by("pk").values())
    second = untrained_version(project)
    rank(second)
    assert list(Prediction.objects.filter(model_version=first).order_by("pk").values()) == before
    assert Prediction.objects.filter(model_version=second).count() == 40
    assert ModelVersion.objects.get(serving=True) == second
