"""A file is the old one or the new one, never half of either, whatever is killed when."""

import errno
import os
import tempfile
from pathlib import Path


def replace_file(path: Path, data: bytes, *, to_hand_on: bool = False) -> None:
    """Write ``data`` to ``path`` in one step that survives kill -9 and power loss.

    Temp file in the same folder, fsync, rename, fsync of the folder. Only its owner may read it,
    unless it is ``to_hand_on``: then who may is what the umask says. Raises OSError (disk full, no
    such folder); the old file then stands untouched and no temp file is left.
    """
    refuse_to_replace(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            if to_hand_on:
                os.fchmod(handle, 0o666 & ~_umask())
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def refuse_to_replace(path: Path) -> None:
    """Raise OSError, which names the path, where ``replace_file`` cannot write, or should not.

    A rename puts a file in the place of whatever is there: of /dev/null, where root asks for it.
    """
    folder = path.parent
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {folder}", str(path))
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, "you may not write there", str(path))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if path.exists() and not (path.is_file() and _is_a_name(path)):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))


def _is_a_name(path: Path) -> bool:
    """Whether it leads to a file by its name: /dev/stdout leads to one that a process has open."""
    return not (path.is_symlink() and path.readlink().is_relative_to("/proc"))


def _umask() -> int:
    """What new files may not allow. It can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def sync_folder(folder: Path) -> None:
    """Make the folder's own list of names durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
