"""What networks read, on disk: memory-mapped shards of pixels or features, never decoded twice."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from classifier.atomic import replace_file, sync_folder

SHARD_IMAGES = 4096
NEUTRAL = 128
ENDINGS = {"|u1": "u8", "<f2": "f16"}  # of a shard file, by the type of its rows
RECORD = np.dtype([("id", "<i8"), ("check", "<u8")])


class ShardStore:
    """Arrays of one shape by id, written once, in files of 4,096: (H, W, C) uint8 pixels, or
    (d,) float16 features.

    ``shard-00000.u8`` … hold the rows; ``ids.bin`` declares row by row whose they
    are, with a check per record, and is written only after the pixels are safe on disk. What a
    crash left behind the last whole record is ignored, and overwritten by the next append.

    Any number of processes may read while one appends: a reader sees the rows that were declared
    when it opened the store, and looks again when asked for an id it does not know or by
    ``refresh``. A second writer waits for the first (flock on ``lock``; a dead process's lock is
    released by the kernel).
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], dtype: npt.DTypeLike = "u1") -> None:
        """Open or make the store. Raises ValueError when it holds rows of another shape or type."""
        self.folder = folder
        self.shape = shape
        self.dtype = np.dtype(dtype)
        folder.mkdir(parents=True, exist_ok=True)
        self._made: tuple[int, int] | None = None  # device and inode of the file of ids
        self._ids: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._sorted: npt.NDArray[np.intp] = np.zeros(0, np.intp)
        self._maps: dict[int, npt.NDArray[Any]] = {}
        self._named: set[Path] = set()  # files whose names are on the disk for certain
        described = folder / "shape"
        wanted = "x".join(str(side) for side in self.shape)
        if self.dtype != np.uint8:  # pixels were there first, and say nothing of their type
            wanted += f" {self.dtype}"
        if not described.exists():
            with self._writing():
                if not described.exists():
                    replace_file(described, wanted.encode())
        found = described.read_text()
        if found != wanted:
            raise ValueError(f"{folder} holds rows of {found}, not {wanted}")
        self.refresh()

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        """The ids (n,) in row order."""
        return self._ids

    def refresh(self) -> None:
        """See what other processes have appended since; all anew where the store was made anew."""
        path = self.folder / "ids.bin"
        known = len(self._ids)
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                made = (status.st_dev, status.st_ino)
                if made != self._made or status.st_size < known * RECORD.itemsize:
                    self._forget()
                    self._made, known = made, 0
                file.seek(known * RECORD.itemsize)
                data = file.read()
        except FileNotFoundError:
            self._forget()
            return
        records = np.frombuffer(data, RECORD, len(data) // RECORD.itemsize)
        whole = records["check"] == _checks(records["id"])
        count = len(records) if whole.all() else int(whole.argmin())
        self._learn(records["id"][:count].astype(np.int64))

    def _forget(self) -> None:
        self._made = None
        self._ids, self._sorted = np.zeros(0, np.int64), np.zeros(0, np.intp)
        self._maps.clear()

    def _learn(self, new: npt.NDArray[np.int64]) -> None:
        """Rows that were declared behind those that are known."""
        if not len(new):
            return
        known, ascending = len(self._ids), bool((np.diff(new) > 0).all())
        last = self._ids[self._sorted[-1]] if known else np.iinfo(np.int64).min
        self._ids = np.concatenate([self._ids, new])
        if ascending and new[0] > last:  # as images come: there is nothing to sort
            self._sorted = np.concatenate([self._sorted, np.arange(known, len(self._ids))])
        else:
            self._sorted = np.argsort(self._ids, kind="stable")

    def append(self, ids: Sequence[int], rows: npt.NDArray[Any]) -> int:
        """Store rows (n, *shape) under their ids; durable on return.

        An id that is there already keeps its row, so a repeated call changes nothing.
        Returns how many were new. Raises ValueError for arrays of the wrong shape or type, OSError
        when the disk refuses; nothing of this call is then declared.
        """
        if rows.dtype != self.dtype or rows.shape != (len(ids), *self.shape):
            expected = f"{(len(ids), *self.shape)} {self.dtype}"
            raise ValueError(f"rows must be {expected}, not {rows.shape} {rows.dtype}")
        with self._writing():
            self.refresh()
            unique, first = np.unique(np.asarray(ids, dtype=np.int64), return_index=True)
            new = np.sort(first[~self._found(unique)[1]])  # first places, in the given order
            if len(new):
                self._write_rows(len(self._ids), rows[new])
                self._declare(len(self._ids), np.asarray(ids, dtype=np.int64)[new])
                self.refresh()
            return len(new)

    def missing(self, ids: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Those of the ids that have no row, in their order."""
        wanted = np.asarray(ids, dtype=np.int64)
        return np.asarray(wanted[~self._found(wanted)[1]], dtype=np.int64)

    def rows_for(self, ids: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The rows (n,) of these ids, in their order. Raises KeyError naming missing ids."""
        wanted = np.asarray(ids, dtype=np.int64)
        rows, found = self._found(wanted)
        if not found.all():
            self.refresh()
            rows, found = self._found(wanted)
        missing = wanted[~found]
        if len(missing):
            named = ", ".join(str(one) for one in missing[:10])
            more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
            raise KeyError(f"{self.folder} has no image {named}{more}")
        return rows

    def _found(
        self, wanted: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """The rows (n,) of ids (n,), and which of them are any: no look at the other rows."""
        if not len(self._ids):
            return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
        places = np.searchsorted(self._ids, wanted, sorter=self._sorted)
        rows = self._sorted[places.clip(max=len(self._ids) - 1)]
        return rows, self._ids[rows] == wanted

    def read(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Copy the arrays (n, *shape) of these rows, reading only their pages of the files.

        Raises IndexError for a row that is not declared.
        """
        rows = np.asarray(rows, dtype=np.int64)
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self._ids):
            raise IndexError(f"rows must lie in 0..{len(self._ids) - 1}")
        found = np.empty((len(rows), *self.shape), dtype=self.dtype)
        shards = rows // SHARD_IMAGES
        for shard in np.unique(shards):
            here = np.flatnonzero(shards == shard)
            places = rows[here] % SHARD_IMAGES
            if _in_line(here) and _in_line(places):  # as a ranking asks: no page is mapped for it
                self._read_line(int(shard), int(places[0]), found[here[0] : here[-1] + 1])
            else:
                found[here] = self._map(int(shard))[places]
        return found

    def _read_line(self, shard: int, place: int, into: npt.NDArray[Any]) -> None:
        """Fill ``into`` (n, *shape) with what lies in a shard from a place on. Raises OSError."""
        with self._path(shard).open("rb", buffering=0) as file:
            file.seek(place * into[0].nbytes)
            if file.readinto(into.data.cast("B")) != into.nbytes:
                raise OSError(f"{self._path(shard)} is cut short")

    def _map(self, shard: int) -> npt.NDArray[Any]:
        if shard not in self._maps:
            shape = (SHARD_IMAGES, *self.shape)
            self._maps[shard] = np.memmap(self._path(shard), self.dtype, mode="r", shape=shape)
        return self._maps[shard]

    def _path(self, shard: int) -> Path:
        return self.folder / f"shard-{shard:05d}.{ENDINGS[self.dtype.str]}"

    def _write_rows(self, row: int, rows: npt.NDArray[Any]) -> None:
        size = int(np.prod(self.shape)) * self.dtype.itemsize
        while len(rows):
            shard, place = divmod(row, SHARD_IMAGES)
            part, rows = np.split(rows, [SHARD_IMAGES - place])
            # Full length from the start, with a hole: a reader's map never has to grow.
            self._write(self._path(shard), place * size, part.tobytes(), SHARD_IMAGES * size)
            row += len(part)

    def _declare(self, row: int, ids: npt.NDArray[np.int64]) -> None:
        records = np.zeros(len(ids), RECORD)
        records["id"], records["check"] = ids, _checks(ids)
        data = records.tobytes()
        start = row * RECORD.itemsize
        self._write(self.folder / "ids.bin", start, data, start + len(data))

    def _write(self, path: Path, offset: int, data: bytes, length: int) -> None:
        """Write durably, the name of the file included: that one once, it does not change."""
        _write_at(path, offset, data, length)
        if path not in self._named:
            sync_folder(self.folder)
            self._named.add(path)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _in_line(places: npt.NDArray[np.int64]) -> bool:
    """Whether each place (n,), n at least 1, follows the one before it."""
    return int(places[-1] - places[0]) == len(places) - 1 and bool((np.diff(places) == 1).all())


def _write_at(path: Path, offset: int, data: bytes, length: int) -> None:
    """Write durably at an offset and leave the file ``length`` bytes long."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    with os.fdopen(handle, "r+b") as stream:
        stream.truncate(length)
        stream.seek(offset)
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _checks(ids: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """A scrambled number per id (n,), never that of zeroed disk space (splitmix64, Steele 2014)."""
    mixed = ids.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def prepare_pixels(
    pixels: npt.NDArray[np.uint8], image_size: int, channels: int
) -> npt.NDArray[np.uint8]:
    """``prepare_image`` of upright RGB pixels (H, W, 3), which may be what is wanted already."""
    if pixels.shape == (image_size, image_size, channels):
        return pixels
    return prepare_image(Image.fromarray(np.ascontiguousarray(pixels)), image_size, channels)


def prepare_image(image: Image.Image, image_size: int, channels: int) -> npt.NDArray[np.uint8]:
    """The whole picture as (H, W, C) uint8: fitted with its aspect kept, grey where it is short.

    Turned upright by its EXIF, transparency over grey, 16-bit grey brought down to 8 bits; where it
    uses only 8 of them it stays. Raises OSError when the file behind the picture is broken,
    ValueError for other channels and for pixels that are fractions.
    """
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 or 3, not {channels}")
    if image.mode == "F":
        raise ValueError("its pixels are fractions, and nothing says which is white")
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (NEUTRAL, NEUTRAL, NEUTRAL, 255))
        image = Image.alpha_composite(ground, layer)
    mode = "L" if channels == 1 else "RGB"
    fitted = ImageOps.contain(
        image.convert(mode), (image_size, image_size), Image.Resampling.LANCZOS
    )
    colour = NEUTRAL if channels == 1 else (NEUTRAL,) * 3
    canvas = Image.new(mode, (image_size, image_size), colour)
    spare = (image_size - fitted.width, image_size - fitted.height)
    canvas.paste(fitted, (spare[0] // 2, spare[1] // 2))
    return np.asarray(canvas, dtype=np.uint8).reshape(image_size, image_size, channels)


def _eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if values.max(initial=0) > 255:
        values = values.clip(0, 65535) >> 8
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))
