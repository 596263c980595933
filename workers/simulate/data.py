"""Reads what a simulation plays over: pictures with their true classes, and recorded labels."""

import csv
import gzip
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

import numpy as np
from numpy.typing import NDArray

VOTE_COLUMNS = ("annotator", "image_index", "label")


class SimulationError(ValueError):
    """A simulation cannot be played as asked; the message names the file and the culprit."""


@dataclass(frozen=True)
class Corpus:
    """N pictures whose true classes are known."""

    images: NDArray[np.uint8]  # (N, H, W) or (N, H, W, C)
    labels: NDArray[np.int64]  # (N,) places in ``classes``
    classes: tuple[str, ...]

    @property
    def channels(self) -> int:
        return 1 if self.images.ndim == 3 or self.images.shape[3] == 1 else 3

    def seeds(self, per_class: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """So many pictures of each class, drawn at random. Raises SimulationError."""
        chosen = []
        for number, name in enumerate(self.classes):
            own = np.flatnonzero(self.labels == number)
            if len(own) < per_class:
                raise SimulationError(
                    f"class {name!r} has {len(own)} pictures; {per_class} were asked for as seeds"
                )
            chosen.append(generator.permutation(own)[:per_class])
        return np.sort(np.concatenate(chosen)).astype(np.int64)


def read_corpus(path: Path) -> Corpus:
    """An NPZ with ``images``, ``labels`` and ``classes``. Raises SimulationError."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            missing = {"images", "labels", "classes"} - set(arrays.files)
            if missing:
                raise SimulationError(f"{path}: it has no array {min(missing)!r}")
            images, labels, classes = (arrays[name] for name in ("images", "labels", "classes"))
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, SimulationError):
            raise
        raise SimulationError(f"{path}: no NPZ that can be read ({error})") from error
    _check(path, images, labels, classes)
    return Corpus(images, labels.astype(np.int64), tuple(str(name) for name in classes))


def _check(
    path: Path,
    images: NDArray[np.generic],
    labels: NDArray[np.generic],
    classes: NDArray[np.generic],
) -> None:
    """Raises SimulationError for arrays that do not fit each other."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise SimulationError(
            f"{path}: images must be (N, H, W[, C]) uint8, not {images.shape} {images.dtype}"
        )
    if labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise SimulationError(f"{path}: labels must be {len(images)} integers, one a picture")
    if not len(labels):
        raise SimulationError(f"{path}: there are no pictures in it")
    numbers = labels.astype(np.int64)
    if not 0 <= numbers.min() <= numbers.max() < len(classes):
        raise SimulationError(f"{path}: labels must lie in 0 to {len(classes) - 1}")


def read_votes(path: Path, corpus: Corpus) -> list[list[int]]:
    """Recorded labels of each picture, in the order of the file. Raises SimulationError."""
    labels: list[list[int]] = [[] for _ in corpus.labels]
    try:
        with _opened(path) as stream:
            rows = csv.DictReader(stream)
            missing = set(VOTE_COLUMNS) - set(rows.fieldnames or ())
            if missing:
                raise SimulationError(f"{path}: it has no column {min(missing)!r}")
            for row in rows:
                image, label = _vote(path, rows.line_num, row, corpus)
                labels[image].append(label)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise SimulationError(f"{path}: it cannot be read ({error})") from error
    return labels


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return cast("TextIO", gzip.open(path, "rt", encoding="utf-8-sig"))
    return path.open(encoding="utf-8-sig")


def _vote(path: Path, line: int, row: dict[str, str], corpus: Corpus) -> tuple[int, int]:
    try:
        image, label = int(row["image_index"]), int(row["label"])
    except (TypeError, ValueError):
        raise SimulationError(f"{path}, line {line}: two numbers were expected") from None
    if not 0 <= image < len(corpus.labels):
        raise SimulationError(f"{path}, line {line}: there is no picture {image}")
    if not 0 <= label < len(corpus.classes):
        raise SimulationError(f"{path}, line {line}: there is no class {label}")
    return image, label
