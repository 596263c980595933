"""One supervised process: started, seen, signalled, and cleared away with all it started."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from typing import IO

from labelhub.supervision.specs import ProcessSpec

_CHILD = str(Path(__file__).with_name("child.py"))
_BACK_OFF_FIRST_SECONDS = 0.5
_BACK_OFF_LONGEST_SECONDS = 30.0
_STEADY_SECONDS = 60.0


def tied(command: Sequence[str], *, nice: int = 0) -> list[str]:
    """The command, to be started from the main thread, after whose end the kernel kills it."""
    return [sys.executable, "-I", "-S", _CHILD, str(os.getpid()), str(nice), *command]


class State(Enum):
    """Where a process is in its life."""

    WAITING = auto()  # for what it needs, or for its next start
    RUNNING = auto()
    ENDING = auto()  # told to end
    ENDED = auto()  # and not to be started again


class Process:
    """The present life of a ProcessSpec, and the count of its earlier ones."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.state = State.WAITING
        self.is_ready = False
        self.failures = 0  # ends in a row that nobody asked for
        self.not_before = 0.0  # seconds on the supervisor's clock
        self.kill_at = 0.0
        self.exit_code: int | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._touched: int | None = None  # the heartbeat file's time stamp as last seen
        self._was_heard = False  # in this life
        self._heard_at = 0.0

    @property
    def alive(self) -> bool:
        """Whether it runs, or is still on its way out."""
        return self.state in {State.RUNNING, State.ENDING}

    @property
    def pid(self) -> int:
        """The process id. Raises RuntimeError when it does not run."""
        if self._child is None:
            raise RuntimeError(f"{self.spec.name} does not run")
        return self._child.pid

    def start(self, *, environment: Mapping[str, str], now: float) -> IO[bytes]:
        """Start it in a session of its own; returns the pipe that carries all it says."""
        spec = self.spec
        self._child = subprocess.Popen(  # noqa: S603  our own commands
            tied(spec.command, nice=spec.nice),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            cwd=spec.cwd,
            env={**environment, **spec.env},
            # Ctrl-C in the terminal reaches the supervisor alone, which stops the others in order.
            start_new_session=True,
        )
        pipe = self._child.stdout
        if pipe is None:
            raise RuntimeError(f"{spec.name} has no output pipe")
        os.set_blocking(pipe.fileno(), False)
        self.state = State.RUNNING
        self.is_ready = spec.ready is None
        self._started_at = self._heard_at = now
        self._touched, self._was_heard = self._stamp(), False
        return pipe

    def look_ready(self) -> bool:
        """Ask whether it is ready; true once, when it turns ready."""
        if self.is_ready or self.spec.ready is None or not self.spec.ready():
            return False
        self.is_ready = True
        return True

    def is_silent(self, *, now: float) -> bool:
        """Whether its heartbeat has been missing for longer than its spec allows."""
        heartbeat = self.spec.heartbeat
        if heartbeat is None:
            return False
        stamp = self._stamp()
        if stamp != self._touched:
            self._touched, self._was_heard, self._heard_at = stamp, True, now
        allowed = heartbeat.stale_seconds if self._was_heard else heartbeat.first_seconds
        return now - self._heard_at > allowed

    def excuse(self, *, now: float) -> None:
        """Count its silence from now on: it could not have been heard."""
        self._heard_at = now

    def end(self, *, now: float) -> None:
        """Ask it to end; ``kill`` follows when it has not by ``kill_at``."""
        self.state = State.ENDING
        self.kill_at = now + self.spec.stop_seconds
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGCONT)  # a stopped process hears nothing
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it and all it started, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def has_exited(self) -> bool:
        """Whether it is over. Then what it left of its group is killed, and its code is kept."""
        if self._child is None:
            return True
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return False
        self.kill()  # before the exit is collected: until then nobody else can have this group's id
        self.exit_code = self._child.wait()
        self._child = None
        self.is_ready = False
        return True

    def back_off(self, *, now: float) -> float:
        """Wait for the next start; returns the seconds, which double with each end in a row."""
        self.failures = 1 if now - self._started_at > _STEADY_SECONDS else self.failures + 1
        seconds = min(
            _BACK_OFF_FIRST_SECONDS * 2.0 ** (self.failures - 1), _BACK_OFF_LONGEST_SECONDS
        )
        self.state = State.WAITING
        self.not_before = now + seconds
        return seconds

    def _stamp(self) -> int | None:
        heartbeat = self.spec.heartbeat
        if heartbeat is None:
            return None
        try:
            return heartbeat.path.stat().st_mtime_ns
        except FileNotFoundError:
            return None
