"""Pictures from NPZ: ``images`` (N, H, W[, C]) uint8, and maybe ``labels`` (N,), ``classes`` (K,).

A label is a place in ``classes``, or -1 for a picture whose class is not told.

The images are read one by one from the compressed stream, so that memory stays flat. Before that
they are read once through: a damage may show only in the checksum at the end, and what is unpacked
after it looks like pictures. Nothing in the file is ever unpickled.
"""

import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from labelhub.exchange.items import Item, Refused, SourceError, printable
from labelhub.exchange.zips import METHODS, open_zip
from labelhub.projects.pictures import MOST_PIXELS

UNTOLD = -1
CHUNK = 1_000_000  # bytes
MOST_SMALL_BYTES = 256_000_000  # of labels, and of classes: these are read at once

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    MemoryError,  # a header may claim any shape
)


@dataclass(frozen=True)
class PixelFile:
    """An NPZ whose arrays were found to fit each other."""

    path: Path
    archive: zipfile.ZipFile
    shape: tuple[int, ...]  # (N, H, W) or (N, H, W, C)
    labels: NDArray[np.int64] | None
    classes: tuple[str, ...]

    def read(self) -> Iterator[Item | Refused]:
        """The pictures in order. Raises SourceError where the file breaks off."""
        record = self.shape[1:]
        size = math.prod(record)
        with _member(self.archive, self.path, "images") as stream:
            _header(stream, self.path, "images")
            for number in range(self.shape[0]):
                try:
                    data = stream.read(size)
                except _BROKEN as error:
                    raise _wrong(self.path, "images", f"damaged ({error})") from error
                if len(data) < size:
                    raise _wrong(self.path, "images", f"ends at picture {number}")
                pixels = np.frombuffer(data, np.uint8).reshape(record)
                yield Item(f"{self.path.name}[{number}]", self._folders(number), pixels)

    def _folders(self, number: int) -> tuple[str, ...]:
        """The class of a picture, as the folder it would lie in."""
        if self.labels is None or self.labels[number] == UNTOLD:
            return ()
        return (self.classes[self.labels[number]],)


def open_npz(path: Path) -> PixelFile:
    """Open and check everything. Raises SourceError naming the file and the array."""
    archive = open_zip(path)
    try:
        shape = _image_shape(archive, path)
        small = _small_arrays(archive, path)
        labels, classes = _checked_labels(small, shape[0], path)
        _refuse_damage(archive, path)
    except SourceError:
        archive.close()
        raise
    return PixelFile(path, archive, shape, labels, classes)


def _wrong(path: Path, array: str, complaint: str) -> SourceError:
    return SourceError(f"{path}: array {array!r}: {complaint}")


def _member(archive: zipfile.ZipFile, path: Path, array: str) -> IO[bytes]:
    """An array's stream. Raises SourceError where it is encrypted, damaged or oddly packed."""
    if archive.getinfo(f"{array}.npy").compress_type not in METHODS:
        raise _wrong(path, array, "packed by an unusual method; save it with numpy.savez")
    try:
        return archive.open(f"{array}.npy")
    except _BROKEN as error:
        raise _wrong(path, array, f"cannot be read ({error})") from error


def _image_shape(archive: zipfile.ZipFile, path: Path) -> tuple[int, ...]:
    if "images.npy" not in archive.namelist():
        there = ", ".join(name.removesuffix(".npy") for name in archive.namelist()) or "nothing"
        raise _wrong(path, "images", f"not in the file (there is {there})")
    with _member(archive, path, "images") as stream:
        shape, fortran, dtype = _header(stream, path, "images")
    if dtype != np.uint8:
        raise _wrong(path, "images", f"uint8 is needed, not {dtype}")
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)):
        raise _wrong(path, "images", f"shape (N, H, W) or (N, H, W, 1 or 3) is needed, not {shape}")
    if 0 in shape:
        raise _wrong(path, "images", f"shape {shape} holds no pixel")
    if fortran:
        raise _wrong(path, "images", "in Fortran order; save it with numpy.ascontiguousarray")
    _refuse_claims(shape, archive.getinfo("images.npy").file_size, path)
    return shape


def _refuse_claims(shape: tuple[int, ...], size: int, path: Path) -> None:
    """Raise SourceError for pictures too large to be read, or more than the file holds."""
    pixels = shape[1] * shape[2]
    if pixels > MOST_PIXELS:
        raise _wrong(
            path,
            "images",
            f"pictures of {shape[1]} × {shape[2]} pixels; "
            f"at most {MOST_PIXELS / 1e6:.0f} million are taken",
        )
    if math.prod(shape) > size:
        raise _wrong(
            path,
            "images",
            f"cut short: shape {shape} needs {math.prod(shape):,} bytes, there are {size:,}",
        )


def _refuse_damage(archive: zipfile.ZipFile, path: Path) -> None:
    """Raise SourceError where the pixels do not match their checksum."""
    with _member(archive, path, "images") as stream:
        try:
            while stream.read(CHUNK):
                pass
        except _BROKEN as error:
            raise _wrong(path, "images", f"damaged ({error})") from error


def _header(
    stream: IO[bytes], path: Path, array: str
) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Shape, order and type of an array; the stream then stands at its first element."""
    try:
        version = npy.read_magic(stream)
        if version == (1, 0):
            return npy.read_array_header_1_0(stream)
        return npy.read_array_header_2_0(stream)
    except _BROKEN as error:
        raise _wrong(path, array, f"not a NumPy array ({error})") from error


def _small_arrays(archive: zipfile.ZipFile, path: Path) -> dict[str, NDArray[np.generic]]:
    found = {}
    for array in ("labels", "classes"):
        if f"{array}.npy" not in archive.namelist():
            continue
        size = archive.getinfo(f"{array}.npy").file_size
        if size > MOST_SMALL_BYTES:
            raise _wrong(
                path,
                array,
                f"{size / 1e6:,.0f} MB; at most {MOST_SMALL_BYTES / 1e6:.0f} MB are taken",
            )
        with _member(archive, path, array) as stream:
            try:
                found[array] = npy.read_array(stream, allow_pickle=False)
            except _BROKEN as error:
                raise _wrong(path, array, f"cannot be read ({error})") from error
    return found


def _checked_labels(
    arrays: Mapping[str, NDArray[np.generic]], images: int, path: Path
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Labels (N,) as places in classes (K,). Raises SourceError."""
    if "labels" not in arrays:
        return None, ()
    if "classes" not in arrays:
        raise _wrong(path, "classes", "not in the file, so its labels have no names")
    labels, classes = arrays["labels"], arrays["classes"]
    if classes.ndim != 1 or classes.dtype.kind != "U":
        raise _wrong(
            path,
            "classes",
            f"text of shape (K,) is needed, not {classes.dtype} of shape {classes.shape}",
        )
    if labels.dtype.kind not in "iu" or labels.shape != (images,):
        raise _wrong(
            path,
            "labels",
            f"whole numbers of shape ({images},) are needed, as there are "
            f"{images} images, not {labels.dtype} of shape {labels.shape}",
        )
    whole = labels.astype(np.int64)
    strange = np.flatnonzero((whole < UNTOLD) | (whole >= len(classes)))
    if len(strange):
        first = int(strange[0])
        raise _wrong(
            path,
            "labels",
            f"number {first} is {whole[first]}; there are {len(classes)} classes, "
            "counted from 0 (-1: not told)",
        )
    return whole, tuple(printable(str(name)) for name in classes)
