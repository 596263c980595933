"""Pictures as networks see them: memory-mapped shards, filled once from the stored files."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from classifier import pool
from classifier.config import TrainConfig
from classifier.dataset import ShardStore, prepare_pixels
from classifier.ensemble import EnsembleNetwork, Readings, members_of
from classifier.features import FEATURES, Describer
from classifier.pool import BadPool, Pool
from classifier.recipes.features import FeatureNetwork
from classifier.together import OneReading
from labelhub.projects.models import Image, Project
from labelhub.projects.pictures import PictureMissing
from labelhub.projects.pixels import full_pixels
from labelhub.rounds.models import ModelVersion
from workers.places import shard_folder

logger = logging.getLogger(__name__)
BATCH = 512
DICTIONARY_IMAGES = 4096  # a dictionary of patches is learned from so many
Heard = Callable[[float], None]  # hears the share that is done; what it raises ends the work


@dataclass(frozen=True)
class Pictures:
    """Images of a project at one size, and the features that describers have made of them.

    ``pixels`` holds (H, W, C) uint8 rows by Image id, also of images that are excluded by now or
    were not asked for; ``ids`` (n,) are those that were and whose pictures are there. Features lie
    in folders beside it, one a describer, and are made where they are missing.
    """

    pixels: ShardStore
    ids: NDArray[np.int64]
    _features: dict[str, ShardStore] = field(default_factory=dict)  # opened once, by folder

    def of(self, images: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The pictures (n, H, W, C) of these images."""
        return self.pixels.read(self.pixels.rows_for(images))

    def pixels_of(self, images: NDArray[np.int64]) -> "Stored":
        """The same pictures, read from disk only where they are looked at."""
        return Stored(self.pixels, self.pixels.rows_for(images))

    def seen_by(self, network: nn.Module, images: NDArray[np.int64]) -> "Stored | Readings":
        """What a network reads of these images: pictures, or the features that stand for them; of
        an ensemble, what each member does. It lies on disk until it is looked at."""
        if isinstance(network, EnsembleNetwork):
            return Readings(tuple(self.read_by(one, images) for one in members_of(network)))
        return self.read_by(network, images)

    def read_by(self, network: nn.Module, images: NDArray[np.int64]) -> "Stored":
        """The same of a network that is no ensemble."""
        if isinstance(network, FeatureNetwork | OneReading):
            return self.described(network.describer, images)
        return self.pixels_of(images)

    def features(self, describer: Describer, images: NDArray[np.int64]) -> NDArray[np.float16]:
        """Features (n, FEATURES) of these images; describes those that never were."""
        return self.described(describer, images)[:]

    def described(self, describer: Describer, images: NDArray[np.int64]) -> "Stored":
        """The same features, read from disk only where they are looked at."""
        store = self._store_with(describer, images, None)
        return Stored(store, store.rows_for(images))

    def describe(self, describer: Describer, *, heard: Heard) -> None:
        """Describe every picture that never was."""
        self._store_with(describer, np.sort(self.ids), heard)

    def undescribed(self) -> int:
        """How many pictures are still to be described for the project's own describer."""
        if not self._dictionary.is_file():
            return len(self.ids)
        return len(self._store(self.describer()).missing(self.ids))

    def pool(self, describer: Describer) -> Pool:
        """What all the pictures tell; learned anew where others have come, some were excluded, or
        an upgrade learns otherwise."""
        ids = np.sort(self.ids)
        some = np.linspace(0, len(ids) - 1, min(len(ids), pool.SAMPLE)).astype(np.int64)
        sample = ids[some]  # evenly spaced
        learned_from = f"{describer.name} {pool.SHAPED_BY} {sample.tolist()}"
        name = hashlib.sha256(learned_from.encode()).hexdigest()[:16]
        folder = self._beside("pool")
        path = folder / f"{name}.safetensors"
        try:
            return Pool.load(path)
        except FileNotFoundError:
            logger.info("%s is learned from %s pictures", path, len(sample))
        except (OSError, BadPool) as error:
            logger.warning("%s; it is learned anew", error)
        learned = Pool.of(self.features(describer, sample))
        learned.save(path)
        for old in folder.glob("*.safetensors"):
            if old != path:
                old.unlink(missing_ok=True)
        return learned

    def _store_with(
        self, describer: Describer, images: NDArray[np.int64], heard: Heard | None
    ) -> ShardStore:
        """The store of features, with these images in it."""
        store = self._store(describer)
        missing = store.missing(images)
        for done, part in enumerate(_batches(missing)):
            if heard:
                heard(done * BATCH / len(missing))
            store.append(part.tolist(), describer.describe(self.of(part)))
        return store

    def _store(self, describer: Describer) -> ShardStore:
        """The store of a describer's features, opened once."""
        name = f"features-{describer.name}"
        if name not in self._features:
            self._features[name] = ShardStore(self._beside(name), (FEATURES,), np.float16)
        return self._features[name]

    def described_by(self) -> dict[str, Path]:
        """The folder of features of each describer that made any, by its name."""
        folders = self.pixels.folder.glob("features-*")
        return {folder.name.removeprefix("features-"): folder for folder in folders}

    def describer(self) -> Describer:
        """The project's own describer, learned from its pictures the first time it is asked for.

        It stays the same from then on, also where a picture that it saw is excluded, or every
        picture would have to be described anew. It holds no picture: only means of patches.
        """
        path = self._dictionary
        if path.is_file():
            return Describer.load(path)
        ids = np.sort(self.ids)
        every = max(1, -(-len(ids) // DICTIONARY_IMAGES))
        learned = Describer.learned(self.of(ids[::every]))  # refuses none in words
        learned.save(path)
        return learned

    @property
    def _dictionary(self) -> Path:
        return self._beside("dictionary") / "patches.safetensors"

    def _beside(self, name: str) -> Path:
        folder = self.pixels.folder / name
        folder.mkdir(exist_ok=True)
        return folder


@dataclass(frozen=True)
class Stored:
    """Pictures or features of n images that lie in a store, in the rows (n,)."""

    store: ShardStore
    rows: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, *row)."""
        return (len(self.rows), *self.store.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of each number."""
        return self.store.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice | NDArray[np.int64], /) -> NDArray[Any]:
        """(part, *row), copied from disk."""
        return self.store.read(self.rows[part])


def fill_shards(*, project: Project) -> Pictures:
    """Every active image of the project, at the project's picture size.

    Reads only those that are missing. A picture that cannot be read any more is left out and named
    in the log.
    """
    active = Image.objects.filter(
        project=project, status=Image.Status.ACTIVE, parent__isnull=True
    ).order_by("pk")
    images = np.fromiter(active.values_list("pk", flat=True).iterator(), np.int64)
    store = _store(project, project.image_size, project.channels)
    return _filled(store, project, images)


def pictures_for(*, version: ModelVersion, images: NDArray[np.int64]) -> Pictures:
    """These images (n,) as the version sees them: the project's picture size may be another one by
    now. Left out is what ``fill_shards`` leaves out."""
    [pictures] = pictures_by_part(version=version, parts=[images])
    return pictures


def pictures_by_part(
    *, version: ModelVersion, parts: Iterable[NDArray[np.int64]]
) -> Iterator[Pictures]:
    """``pictures_for`` the images of each part, which are read when it is its turn."""
    config = TrainConfig.from_dict(version.config)
    store = _store(version.project, config.image_size, config.channels)
    pictures = Pictures(store, np.zeros(0, np.int64))
    for part in parts:
        found = _filled(store, version.project, part)
        pictures = replace(pictures, ids=found.ids)  # with the features that are open by now
        yield pictures


def _store(project: Project, image_size: int, channels: int) -> ShardStore:
    folder = shard_folder(project, image_size, channels)
    return ShardStore(folder, (image_size, image_size, channels))


def _filled(store: ShardStore, project: Project, images: NDArray[np.int64]) -> Pictures:
    """Read those of the images (n,) that the store lacks."""
    edge, _, channels = store.shape
    for part in _batches(store.missing(images)):
        ids, pixels = [], []
        rows = Image.objects.filter(pk__in=part.tolist(), project=project).order_by("pk")
        columns = rows.values_list("pk", "sha256", "width", "height")
        for image_id, sha256, width, height in columns:
            try:
                full = full_pixels(sha256, (width, height))
            except (PictureMissing, OSError) as error:
                logger.warning("image %s of %s is left out: %s", image_id, project.slug, error)
                continue
            ids.append(image_id)
            pixels.append(prepare_pixels(full, edge, channels))
        if ids:
            store.append(ids, np.stack(pixels))
    return Pictures(store, images[~np.isin(images, store.missing(images))])


def _batches(images: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(images), BATCH):
        yield images[start : start + BATCH]
