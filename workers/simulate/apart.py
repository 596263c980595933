"""Runs a play in a process of its own, over a folder and a database that are gone after it."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from labelhub.supervision.process import tied

STOPPING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """A signal ended a play."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number  # as a shell has it


class _Stop:
    """Kills the child when a signal asks this process to end; the rest goes on to its end.

    It raises nothing: an exception between a child's start and its name would leave the child.
    """

    def __init__(self) -> None:
        self.number = 0  # of the signal that came, if any
        self._child: subprocess.Popen[bytes] | None = None

    def __call__(self, number: int, _frame: object) -> None:
        self.number = number
        self._kill()

    def watch(self, child: subprocess.Popen[bytes]) -> None:
        """From now on this one ends with us."""
        self._child = child
        if self.number:
            self._kill()

    def _kill(self) -> None:
        if self._child is not None and self._child.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)  # all it has is thrown away


def run_apart(command: Sequence[str], world: Mapping[str, str] | None = None) -> int:
    """Run it over a folder, a database and a broker that nobody else sees; returns its exit code.

    ``world`` are settings to be had otherwise.

    What is printed goes where ours goes. Raises Stopped when a signal asked us to end meanwhile;
    then too the process has ended and the folder is gone.
    """
    with _signals_heard() as stop:
        with tempfile.TemporaryDirectory(prefix="lh-simulate-") as folder:
            child = subprocess.Popen(  # noqa: S603  our own command
                tied(command),
                env={**os.environ, **_world(Path(folder)), **(world or {})},
                process_group=0,  # Ctrl-C reaches us alone
            )
            stop.watch(child)
            code = child.wait()
        if stop.number:
            raise Stopped(stop.number)
    return code


@contextmanager
def _signals_heard() -> Iterator[_Stop]:
    """What asks this process to end is noted; what it was told to ignore stays ignored."""
    stop = _Stop()
    heard = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _world(folder: Path) -> Mapping[str, str]:
    """The settings of a play that keeps everything in this folder."""
    return {
        "DATA_DIR": str(folder),
        "TMPDIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        # Named, since kombu warns of each connection without a host, though memory has none.
        "REDIS_URL": "memory://localhost",
        "LABELHUB_LOG_LEVEL": os.environ.get("LABELHUB_LOG_LEVEL", "WARNING"),
    }
