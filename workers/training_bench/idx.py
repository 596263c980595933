"""Pictures and labels in IDX files, as MNIST and its kin are handed round."""

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from classifier.dataset import prepare_image

DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # of the package dataset-fashion-mnist
PICTURES, LABELS = 0x803, 0x801  # magic numbers: unsigned bytes in three dimensions, in one


class BadIdx(ValueError):
    """The file is no IDX file of the kind that was expected; the message names it."""


@dataclass(frozen=True)
class Split:
    """Pictures (n, h, w) uint8 and their classes (n,)."""

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]

    @classmethod
    def read(cls, folder: Path, name: str) -> Self:
        """``NAME-images-idx3-ubyte[.gz]`` and the labels beside it. Raises OSError, BadIdx."""
        pictures = _read(folder / f"{name}-images-idx3-ubyte", PICTURES)
        labels = _read(folder / f"{name}-labels-idx1-ubyte", LABELS)
        if len(pictures) != len(labels):
            raise BadIdx(f"{folder}: {len(pictures)} pictures of {name}, but {len(labels)} labels")
        return cls(pictures, labels.astype(np.int64))

    def prepared(self, edge: int) -> NDArray[np.uint8]:
        """(n, edge, edge, 1) as a project's shards hold them."""
        return np.stack([prepare_image(Image.fromarray(one), edge, 1) for one in self.pictures])


def _read(path: Path, magic: int) -> NDArray[np.uint8]:
    packed = path.with_name(path.name + ".gz")
    data = gzip.decompress(packed.read_bytes()) if packed.is_file() else path.read_bytes()
    dimensions = magic & 0xFF
    header = np.frombuffer(data[: 4 + 4 * dimensions], dtype=">u4")
    if len(header) != 1 + dimensions or header[0] != magic:
        raise BadIdx(f"{path}: no IDX file of {dimensions} dimensions")
    shape = tuple(int(side) for side in header[1:])
    body = np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions)
    if len(body) != np.prod(shape):
        raise BadIdx(f"{path}: {len(body)} bytes of pixels, its header says {np.prod(shape)}")
    return body.reshape(shape)
