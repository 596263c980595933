"""Where the things of a supervised run lie. All of it follows from DATA_DIR alone.

Web, workers, commands and the supervisor are separate processes: each works out the same places by
itself, and none needs to be told.
"""

import hashlib
import os
from pathlib import Path
from urllib.parse import quote

# sun_path holds 108 bytes with its closing zero; servers bind a temporary name beside the real one.
_LONGEST_SOCKET_PATH = 96


def run_folder(data_dir: Path) -> Path:
    """The folder of lock file, heartbeats and the broker's own files."""
    return data_dir / "run"


def heartbeat_file(data_dir: Path, worker: str) -> Path:
    """The file that the named worker touches while it can take work."""
    return run_folder(data_dir) / f"{worker}.alive"


def broker_socket(data_dir: Path) -> Path:
    """The embedded broker's unix socket: in DATA_DIR, unless that makes its path too long."""
    usual = run_folder(data_dir) / "broker.sock"
    if len(os.fsencode(usual)) <= _LONGEST_SOCKET_PATH:
        return usual
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    # Not the user's runtime folder: a cron job has none, and must find the same socket.
    return Path("/tmp") / f"labelhub-{digest}" / "broker.sock"  # noqa: S108  made private, below


def broker_url(data_dir: Path) -> str:
    """The embedded broker's address, in the form that Celery reads. Any folder's name will do."""
    return f"redis+socket://{quote(str(broker_socket(data_dir)))}"


def make_private(folder: Path) -> None:
    """The folder, made if need be, and open to nobody else.

    Raises PermissionError when somebody else made it before us.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to somebody else; remove it")
    folder.chmod(0o700)
