"""Real processes under a real supervisor, each test with a folder and a port of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labelhub.supervision.places import broker_socket

BASE_DIR = Path(__file__).resolve().parents[2]
_MARK = "LABELHUB_TEST_RUN"
_NOT_INHERITED = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "LABELHUB_MODE")


def wait_until(holds: Callable[[], object], *, seconds: float = 30.0, what: str) -> None:
    """Returns as soon as the condition holds. Fails with ``what`` when it does not in time."""
    pause, deadline = threading.Event(), time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        pause.wait(0.05)


class Run:
    """One supervisor process, everything it says, and everything that carries its mark."""

    def __init__(self, command: list[str], *, data_dir: Path, env: dict[str, str]) -> None:
        self.mark = uuid.uuid4().hex
        self.data_dir = data_dir
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        self.log = data_dir.parent / f"{self.mark}.log"
        inherited = {name: os.environ[name] for name in os.environ if name not in _NOT_INHERITED}
        self.environment = {**inherited, "DATA_DIR": str(data_dir), _MARK: self.mark, **env}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=BASE_DIR,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def count(self, text: str) -> int:
        return self.log.read_text(encoding="utf-8", errors="replace").count(text)

    def said(self, text: str) -> bool:
        return self.count(text) > 0

    def wait_for(self, text: str, *, seconds: float = 30.0) -> None:
        def said_or_over() -> bool:
            return self.said(text) or self.process.poll() is not None

        wait_until(said_or_over, seconds=seconds, what=f"{text!r} in\n{self.log.read_text()}")
        assert self.said(text), f"ended without {text!r}:\n{self.log.read_text()}"

    def pids(self, *words: str) -> list[int]:
        """The living processes of this run whose command line has all the words."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                marked = f"{_MARK}={self.mark}".encode() in (folder / "environ").read_bytes()
                line = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if marked and set(words) <= set(line):
                found.append(int(folder.name))
        return found

    def child(self, *words: str) -> int:
        """The one process right under the supervisor with these words; 0 when there is none."""
        for pid in self.pids(*words):
            status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
            if int(status.rpartition(")")[2].split()[1]) == self.process.pid:
                return pid
        return 0

    def kill_and_wait_for_the_next(self, *words: str) -> None:
        before = self.child(*words)
        assert before, f"no process {words}:\n{self.log.read_text()}"
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: self.child(*words) not in {0, before}, what=f"{words} started again")

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(timeout=30)

    def clear(self) -> None:
        for pid in {*self.pids(), self.process.pid}:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(timeout=10)
        folder = broker_socket(self.data_dir).parent
        if not folder.is_relative_to(self.data_dir):
            shutil.rmtree(folder, ignore_errors=True)


Start = Callable[..., Run]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts supervisors, and clears away whatever a failed test left of them."""
    runs: list[Run] = []

    def begin(*command: str, data_dir: Path | None = None, **env: str) -> Run:
        run = Run([sys.executable, *command], data_dir=data_dir or tmp_path / "data", env=env)
        runs.append(run)
        return run

    yield begin
    for run in runs:
        run.clear()


@pytest.fixture
def port() -> int:
    """A port that was free a moment ago."""
    return free_port()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
