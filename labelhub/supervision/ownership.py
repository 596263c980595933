"""One supervisor over one DATA_DIR, and nothing left of the one before.

Every process of a run carries DATA_DIR in its environment. That mark tells ours from others better
than a noted process id does: an id may be another program's by now, and a grandchild's was never
noted.
"""

import fcntl
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from labelhub.supervision.places import make_private, run_folder

MARK = "LABELHUB_SUPERVISED_FOR"
_SECONDS_TO_END = 5.0


class AlreadySupervised(Exception):
    """Another supervisor runs over the same DATA_DIR."""


def marked(data_dir: Path) -> Mapping[str, str]:
    """The environment variable that says whose processes these are."""
    return {MARK: str(data_dir)}


@contextmanager
def sole_supervisor(data_dir: Path) -> Iterator[None]:
    """Holds DATA_DIR's lock; the kernel gives it back however this process ends.

    Raises AlreadySupervised, which names the process that holds it.
    """
    make_private(run_folder(data_dir))
    with (run_folder(data_dir) / "supervisor.lock").open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise AlreadySupervised(
                f"process {holder} already supervises {data_dir}: stop it first (kill {holder}), "
                "or give this one a DATA_DIR and a port of its own"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def reap_left_over(data_dir: Path, report: Callable[[str], None]) -> None:
    """Ends the processes that an earlier supervisor over DATA_DIR left; call it under the lock."""
    left = processes_of(data_dir)
    if not left:
        return
    report(f"ending {len(left)} processes left by an earlier run: {', '.join(map(str, left))}")
    for how in (signal.SIGTERM, signal.SIGKILL):
        _end(processes_of(data_dir), how)
        if not processes_of(data_dir):
            return
    raise RuntimeError(f"processes {processes_of(data_dir)} of an earlier run do not end")


def processes_of(data_dir: Path) -> list[int]:
    """The ids of living processes that carry the mark of DATA_DIR, but not this one's own line."""
    mark = f"{MARK}={data_dir}".encode()
    own_line = _ancestors()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # somebody else's, or gone meanwhile
            continue
        if mark in environment and pid not in own_line:
            found.append(pid)
    return sorted(found)


def _ancestors() -> set[int]:
    line = {os.getpid()}
    pid = os.getppid()
    while pid > 1:
        line.add(pid)
        try:
            status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            break
        pid = int(status.rpartition(")")[2].split()[1])
    return line


def _end(pids: list[int], how: signal.Signals) -> None:
    """Signals the processes and waits until they have ended, but not for ever."""
    deadline = time.monotonic() + _SECONDS_TO_END
    with ExitStack() as stack:
        handles = []
        for pid in pids:
            with suppress(ProcessLookupError):  # it ended by itself, which is what was wanted
                handle = os.pidfd_open(pid)
                stack.callback(os.close, handle)
                signal.pidfd_send_signal(handle, how)
                handles.append(handle)
        while handles and time.monotonic() < deadline:
            ended, _, _ = select.select(handles, [], [], deadline - time.monotonic())
            handles = [handle for handle in handles if handle not in ended]
