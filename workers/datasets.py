"""Pictures as the network sees them: memory-mapped shards, filled once from the stored files."""

import logging
from collections.abc import Iterator, Sequence

import numpy as np

from classifier.dataset import ShardStore, prepare_image
from labelhub.projects.models import Image, Project
from labelhub.projects.pictures import PictureMissing, open_full
from workers.places import shard_folder

logger = logging.getLogger(__name__)
BATCH = 512


def fill_shards(*, project: Project) -> ShardStore:
    """The store with every active image of the project in it; reads only those that are missing.

    A picture that cannot be read any more is left out and named in the log.
    """
    store = ShardStore(shard_folder(project), project.image_size, project.channels)
    for rows in _batches(_missing(project, store)):
        ids, pixels = [], []
        for image_id, sha256 in rows:
            try:
                picture = open_full(sha256)
            except (PictureMissing, OSError) as error:
                logger.warning("image %s of %s is left out: %s", image_id, project.slug, error)
                continue
            ids.append(image_id)
            pixels.append(prepare_image(picture, project.image_size, project.channels))
        if ids:
            store.append(ids, np.stack(pixels))
    return store


def _missing(project: Project, store: ShardStore) -> list[tuple[int, str]]:
    """(image id, content hash) of active images that the store does not hold."""
    held = set(store.ids.tolist())
    active = Image.objects.filter(
        project=project, status=Image.Status.ACTIVE, parent__isnull=True
    ).order_by("pk")
    return [row for row in active.values_list("pk", "sha256").iterator() if row[0] not in held]


def _batches(rows: Sequence[tuple[int, str]]) -> Iterator[Sequence[tuple[int, str]]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]
