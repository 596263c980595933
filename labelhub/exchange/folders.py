"""Pictures from a folder tree."""

import os
from collections.abc import Iterator
from pathlib import Path

from labelhub.exchange.items import Item, Refused, is_clutter, printable
from labelhub.projects.pictures import PictureRejected, refuse_bytes


def read_folder(root: Path) -> Iterator[Item | Refused]:
    """The files below a folder in the order of their names, one in memory at a time.

    Hidden files and what file managers leave are passed over. Nothing outside the folder is read:
    links that lead out of it, and links to folders, are refused.
    """
    home = root.resolve()
    for found in _walk(str(root), folders=()):
        if isinstance(found, Refused):
            yield found
            continue
        entry, folders = found
        name = printable("/".join((*reversed(folders), entry.name)))
        try:
            yield Item(name, folders, _content(entry, home, name))
        except PictureRejected as refusal:
            yield Refused(name, refusal.reason)
        except OSError as error:
            yield Refused(name, f"cannot be read: {error.strerror}")


def _walk(
    path: str, folders: tuple[str, ...]
) -> Iterator[tuple[os.DirEntry[str], tuple[str, ...]] | Refused]:
    """Everything below a folder that is not a folder itself, links among it.

    ``folders`` are the names of the folders it lies in, the nearest first.
    """
    try:
        with os.scandir(path) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        name = printable("/".join(reversed(folders)) or path)
        yield Refused(name, f"the folder cannot be read: {error.strerror}")
        return
    for entry in entries:
        if is_clutter((entry.name,)):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, (printable(entry.name), *folders))
        else:
            yield entry, folders


def _content(entry: os.DirEntry[str], home: Path, name: str) -> bytes:
    """The bytes of a regular file inside ``home``. Raises PictureRejected, OSError."""
    if entry.is_symlink() and not Path(entry.path).resolve(strict=True).is_relative_to(home):
        raise PictureRejected(name, "a link that leads out of the folder")
    if not entry.is_file():  # a link to a folder, a pipe, a device
        raise PictureRejected(name, "not a regular file")
    with open(entry.path, "rb") as file:  # noqa: PTH123  ten thousands of times
        refuse_bytes(os.fstat(file.fileno()).st_size, name)
        return file.read()
