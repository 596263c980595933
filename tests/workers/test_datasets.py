"""Pictures as the network sees them: read once, kept by id, and one lost file costs one image."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from django.conf import settings as site

from classifier.config import TrainConfig
from classifier.dataset import prepare_image
from classifier.model import build
from labelhub.projects.models import Image
from labelhub.projects.pictures import open_full
from tests.pictured import striped_project
from workers import datasets
from workers.datasets import fill_shards

pytestmark = pytest.mark.django_db


def test_the_store_holds_every_active_image_as_the_network_sees_it() -> None:
    project = striped_project(images=12)
    out = project.images.first()
    Image.objects.filter(pk=out.pk).update(status=Image.Status.EXCLUDED)
    store = fill_shards(project=project)
    active = list(project.images.exclude(pk=out.pk).order_by("pk"))
    assert store.ids.tolist() == [image.pk for image in active]
    seen = store.of(np.array([active[3].pk]))[0]
    assert np.array_equal(seen, prepare_image(open_full(active[3].sha256), 16, 3))


def test_only_pictures_that_the_store_lacks_are_read(monkeypatch) -> None:
    project = striped_project(images=12)
    fill_shards(project=project)
    monkeypatch.setattr(datasets, "full_pixels", None)
    assert len(fill_shards(project=project).ids) == 12


def test_a_lost_or_damaged_picture_costs_its_own_image_and_is_named(caplog) -> None:
    project = striped_project(images=12)
    lost, damaged, *others = project.images.order_by("pk")
    pictures = Path(site.DATA_DIR) / "pictures"
    for path in pictures.rglob(f"{lost.sha256}.*"):
        path.unlink()
    for path in pictures.rglob(f"{damaged.sha256}.*"):
        path.write_bytes(path.read_bytes()[:100])
    with caplog.at_level(logging.WARNING):
        store = fill_shards(project=project)
    assert store.ids.tolist() == [image.pk for image in others]
    assert f"image {lost.pk} of stripes is left out" in caplog.text
    assert f"image {damaged.pk} of stripes is left out" in caplog.text


def test_a_pool_is_learned_from_all_its_pictures_once_and_anew_where_its_file_broke(
    caplog, monkeypatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(datasets.pool, "SAMPLE", 8)
    project = striped_project(images=12)
    pictures = fill_shards(project=project)
    describer = pictures.describer()
    learned = pictures.pool(describer)
    assert "learned from 8 pictures" in caplog.text  # as many as it takes, not every second of 12
    caplog.clear()
    assert torch.equal(pictures.pool(describer).manifold.places, learned.manifold.places)
    assert "learned" not in caplog.text
    kept = list((pictures.pixels.folder / "pool").iterdir())
    kept[0].write_bytes(b"cut short")
    assert torch.equal(pictures.pool(describer).manifold.places, learned.manifold.places)
    assert "it is learned anew" in caplog.text
    assert [file.name for file in kept] == [
        file.name for file in (pictures.pixels.folder / "pool").iterdir()
    ]


def test_an_excluded_picture_is_in_the_pool_no_more() -> None:
    project = striped_project(images=12)
    pictures = fill_shards(project=project)
    describer = pictures.describer()
    pictures.pool(describer)
    out = project.images.order_by("pk")[4]
    Image.objects.filter(pk=out.pk).update(status=Image.Status.EXCLUDED)
    left = fill_shards(project=project)
    assert left.ids.tolist() == [one for one in pictures.ids if one != out.pk]
    assert left.pool(describer).manifold.landmarks.any(dim=1).sum() == 11
    assert len(list((left.pixels.folder / "pool").iterdir())) == 1, "the old one is gone"


def test_a_pool_that_an_older_version_learned_otherwise_is_learned_anew(
    caplog, monkeypatch
) -> None:
    caplog.set_level(logging.INFO)
    pictures = fill_shards(project=striped_project(images=12))
    describer = pictures.describer()
    pictures.pool(describer)
    caplog.clear()
    monkeypatch.setattr(datasets.pool, "SHAPED_BY", "otherwise")
    pictures.pool(describer)
    assert "learned from 12 pictures" in caplog.text


def test_features_are_looked_up_again_without_opening_their_store_anew(monkeypatch) -> None:
    project = striped_project(images=12)
    pictures = fill_shards(project=project)
    describer = pictures.describer()
    first = pictures.features(describer, pictures.ids[:3])
    monkeypatch.setattr(datasets, "ShardStore", None)
    assert np.array_equal(pictures.features(describer, pictures.ids[:3]), first)


def test_what_networks_read_lies_on_disk_until_it_is_looked_at() -> None:
    project = striped_project(images=12)
    pictures = fill_shards(project=project)
    chosen = pictures.ids[[3, 4, 5, 6, 11, 0]]
    seen = pictures.seen_by(build(TrainConfig(classes=3, recipe="seed", image_size=16)), chosen)
    assert (seen.shape, seen.dtype, len(seen)) == ((6, 16, 16, 3), np.uint8, 6)
    assert np.array_equal(seen[:], pictures.of(chosen))
    assert np.array_equal(seen[1:3], pictures.of(chosen[1:3]))
    assert seen[6:].shape == (0, 16, 16, 3)
