"""Pictures from a folder tree."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from labelhub.exchange.items import Item, Refused, folders_of, is_clutter, printable
from labelhub.projects.pictures import PictureRejected, refuse_bytes


def read_folder(root: Path) -> Iterator[Item | Refused]:
    """The files below a folder in the order of their names, one in memory at a time.

    Hidden files and what file managers leave are passed over. Nothing outside the folder is read:
    links that lead out of it, and links to folders, are refused.
    """
    home = root.resolve()
    for entry in _walk(root):
        if isinstance(entry, Refused):
            yield Refused(printable(entry.name), entry.reason)
            continue
        path = PurePosixPath(Path(entry.path).relative_to(root).as_posix())
        if is_clutter(path):
            continue
        name = printable(str(path))
        try:
            yield Item(name, folders_of(PurePosixPath(name)), _content(entry, home, name))
        except PictureRejected as refusal:
            yield Refused(name, refusal.reason)
        except OSError as error:
            yield Refused(name, f"cannot be read: {error.strerror}")


def _walk(folder: Path) -> Iterator[os.DirEntry[str] | Refused]:
    """Everything below a folder that is not a folder itself, links among it."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        yield Refused(str(folder), f"the folder cannot be read: {error.strerror}")
        return
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            yield entry
        elif not is_clutter(PurePosixPath(entry.name)):
            yield from _walk(Path(entry.path))


def _content(entry: os.DirEntry[str], home: Path, name: str) -> bytes:
    """The bytes of a regular file inside ``home``. Raises PictureRejected, OSError."""
    path = Path(entry.path)
    if entry.is_symlink():
        path = path.resolve(strict=True)
        if not path.is_relative_to(home):
            raise PictureRejected(name, "a link that leads out of the folder")
    if not path.is_file():  # a link to a folder, a pipe, a device
        raise PictureRejected(name, "not a regular file")
    refuse_bytes(path.stat().st_size, name)
    return path.read_bytes()
