"""Pictures as the network sees them: memory-mapped shards, filled once from the stored files."""

import logging
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from classifier.config import TrainConfig
from classifier.dataset import ShardStore, prepare_image
from labelhub.projects.models import Image, Project
from labelhub.projects.pictures import PictureMissing, open_full
from labelhub.rounds.models import ModelVersion
from workers.places import shard_folder

logger = logging.getLogger(__name__)
BATCH = 512


def fill_shards(*, project: Project) -> ShardStore:
    """The store with every active image of the project in it, at the project's picture size.

    Reads only those that are missing. A picture that cannot be read any more is left out and named
    in the log.
    """
    active = Image.objects.filter(
        project=project, status=Image.Status.ACTIVE, parent__isnull=True
    ).order_by("pk")
    store = _store(project, project.image_size, project.channels)
    _fill(store, project, np.fromiter(active.values_list("pk", flat=True).iterator(), np.int64))
    return store


def shards_for(*, version: ModelVersion, images: NDArray[np.int64]) -> ShardStore:
    """The store with these images (n,) in it as the version sees them: the project's picture size
    may be another one by now. Left out is what ``fill_shards`` leaves out."""
    config = TrainConfig.from_dict(version.config)
    store = _store(version.project, config.image_size, config.channels)
    _fill(store, version.project, images)
    return store


def _store(project: Project, image_size: int, channels: int) -> ShardStore:
    return ShardStore(shard_folder(project, image_size, channels), image_size, channels)


def _fill(store: ShardStore, project: Project, images: NDArray[np.int64]) -> None:
    """Read those of the images (n,) that the store lacks."""
    edge, _, channels = store.shape
    for part in _batches(images[~np.isin(images, store.ids)]):
        ids, pixels = [], []
        rows = Image.objects.filter(pk__in=part.tolist(), project=project).order_by("pk")
        for image_id, sha256 in rows.values_list("pk", "sha256"):
            try:
                picture = open_full(sha256)
            except (PictureMissing, OSError) as error:
                logger.warning("image %s of %s is left out: %s", image_id, project.slug, error)
                continue
            ids.append(image_id)
            pixels.append(prepare_image(picture, edge, channels))
        if ids:
            store.append(ids, np.stack(pixels))


def _batches(images: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(images), BATCH):
        yield images[start : start + BATCH]
