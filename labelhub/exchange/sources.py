"""Where pictures come from: a folder tree, a zip of one, or NPZ."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labelhub.exchange.folders import read_folder
from labelhub.exchange.items import Item, Refused, SourceError
from labelhub.exchange.npz import open_npz
from labelhub.exchange.zips import open_zip, read_zip

FORMATS = ("auto", "folder", "zip", "npz")


@contextmanager
def open_source(path: Path, source_format: str = "auto") -> Iterator[Iterator[Item | Refused]]:
    """What a source holds, to be read once.

    Raises SourceError that names the source, when all of it cannot be read.
    """
    kind = _kind_of(path) if source_format == "auto" else source_format
    if kind == "folder":
        if not path.is_dir():
            raise SourceError(f"{path}: not a folder")
        yield read_folder(path)
    elif kind == "zip":
        with open_zip(path) as archive:
            yield read_zip(archive)
    elif kind == "npz":
        pixels = open_npz(path)
        with pixels.archive:
            yield pixels.read()
    else:
        raise SourceError(f"format {source_format!r}: one of {', '.join(FORMATS)} is needed")


def _kind_of(path: Path) -> str:
    if path.is_dir():
        return "folder"
    if not path.exists():
        raise SourceError(f"{path}: there is no such file or folder")
    if path.suffix.lower() == ".npz":
        return "npz"
    try:
        if zipfile.is_zipfile(path):
            return "zip"
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error
    raise SourceError(f"{path}: neither a folder nor a zip nor NPZ")
