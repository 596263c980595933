"""Pictures from a zip of a folder tree. Nothing is unpacked to the disk."""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from labelhub.exchange.items import Item, Refused, SourceError, folders_of, is_clutter, printable
from labelhub.projects.pictures import PictureRejected, refuse_bytes

MOST_ENTRIES = 200_000
MOST_BYTES = 20_000_000_000  # unpacked, all entries together
ENCRYPTED = 0x1
# Unpacked in steps of a size that we choose; other methods unpack all they like at once.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def open_zip(path: Path) -> zipfile.ZipFile:
    """A zip within bounds. Raises SourceError when it is damaged or holds too much."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise SourceError(f"{path}: cannot be read as a zip ({error})") from error
    entries = archive.infolist()
    size = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_ENTRIES:
        archive.close()
        raise SourceError(
            f"{path}: {len(entries):,} entries; at most {MOST_ENTRIES:,} are taken from one zip"
        )
    if size > MOST_BYTES:
        archive.close()
        raise SourceError(
            f"{path}: {size / 1e9:.1f} GB unpacked; at most {MOST_BYTES / 1e9:.0f} GB are taken"
        )
    return archive


def read_zip(archive: zipfile.ZipFile) -> Iterator[Item | Refused]:
    """The files of a zip in its own order, one in memory at a time."""
    for entry in archive.infolist():
        name = printable(entry.filename)
        path = PurePosixPath(name.replace("\\", "/"))
        if entry.is_dir() or (is_clutter(path.parts) and ".." not in path.parts):
            continue
        try:
            yield Item(name, folders_of(path), _content(archive, entry, path))
        except PictureRejected as refusal:
            yield Refused(name, refusal.reason)


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: PurePosixPath) -> bytes:
    """The bytes of an entry. Raises PictureRejected."""
    name = printable(entry.filename)
    if path.is_absolute() or ".." in path.parts:
        raise PictureRejected(name, "its path leads out of the zip")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise PictureRejected(name, "a link, not a file")
    if entry.flag_bits & ENCRYPTED:
        raise PictureRejected(name, "encrypted; give a zip without a password")
    if entry.compress_type not in METHODS:
        raise PictureRejected(name, "packed by an unusual method; give a plain (deflated) zip")
    refuse_bytes(entry.file_size, name)
    try:
        # Read to the size that the zip states, not to the end: where that size is a lie, the
        # end may be gigabytes away. One byte more makes the checksum be compared.
        with archive.open(entry) as stream:
            return stream.read(entry.file_size + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise PictureRejected(name, f"damaged in the zip ({error})") from error
