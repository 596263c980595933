"""Runs a list of processes until it is told to stop, or one of them ends the run."""

import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

from labelhub.supervision.console import Console
from labelhub.supervision.ownership import marked, reap_left_over, sole_supervisor
from labelhub.supervision.process import Process, State
from labelhub.supervision.specs import ProcessSpec

_LOOK_SECONDS = 0.1
_HEARTBEAT_LOOK_SECONDS = 1.0
_TRIES_BEFORE_READY = 4
_READ_BYTES = 65_536
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """``run()`` blocks in the main thread; everything happens in that thread, one thing at a time.

    ``prepare`` is called once, when DATA_DIR is ours and nothing runs yet. ``on_ready`` is called
    once, when every process with a ``ready`` question has answered yes.
    """

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        *,
        data_dir: Path,
        prepare: Callable[[], None] = lambda: None,
        on_ready: Callable[[], None] = lambda: None,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._processes = {spec.name: Process(spec) for spec in specs}
        if len(self._processes) != len(specs):
            raise ValueError("two processes have the same name")
        unknown = {need for spec in specs for need in spec.needs} - self._processes.keys()
        if unknown:
            raise ValueError(f"nobody is called {', '.join(sorted(unknown))}")
        self._data_dir = data_dir
        self._prepare = prepare
        self._on_ready = on_ready
        self._console = console or Console()
        self._clock = clock
        self._environment = {**os.environ, **marked(data_dir)}
        self._outputs = selectors.DefaultSelector()
        self._announced = False
        self._stopping = False
        self._hurrying = False
        self._exit_code = 0
        self._heartbeats_at = 0.0
        for name in self._processes:
            self._console.introduce(name)

    def run(self) -> int:
        """Run until stopped. 0 after a stop by signal; else the code of what ended the run.

        Raises AlreadySupervised when another supervisor runs over the same DATA_DIR.
        """
        with sole_supervisor(self._data_dir), self._signals():
            reap_left_over(self._data_dir, self._console.say)
            self._prepare()
            try:
                while not self._stopping or any(self._living()):
                    self._pass_on_output(timeout=_LOOK_SECONDS)
                    self._turn()
            finally:
                self._clear()
            self._console.say("everything has stopped")
        return self._exit_code

    def stop(self, *, exit_code: int = 0) -> None:
        """Stop everything, those first that nobody needs; a second call does not wait."""
        self._hurrying = self._stopping
        self._stopping = True
        self._exit_code = self._exit_code or exit_code

    def _turn(self) -> None:
        now = self._clock()
        for process in self._living():
            if process.has_exited():
                self._take_note_of_exit(process, now=now)
        if self._stopping:
            self._stop_the_unneeded(now=now)
            return
        self._start_what_can(now=now)
        self._listen(now=now)

    # --- starting ---------------------------------------------------------------------------

    def _start_what_can(self, *, now: float) -> None:
        for name, process in self._processes.items():
            spec = process.spec
            if process.state is State.WAITING and now >= process.not_before:
                if self._announced or all(self._processes[need].is_ready for need in spec.needs):
                    pipe = process.start(environment=self._environment, now=now)
                    self._outputs.register(pipe, selectors.EVENT_READ, _Lines(name, pipe))
            elif process.state is State.RUNNING and process.look_ready() and self._announced:
                self._console.say(f"{name} is back")
        asked = [process for process in self._processes.values() if process.spec.ready]
        if not self._announced and all(process.is_ready for process in asked):
            self._announced = True
            self._on_ready()

    def _take_note_of_exit(self, process: Process, *, now: float) -> None:
        name, code = process.spec.name, process.exit_code or 0
        if process.spec.ends_run and not self._stopping:
            process.state = State.ENDED
            self.stop(exit_code=code if code >= 0 else 128 - code)
        elif self._stopping or not process.spec.restart:
            process.state = State.ENDED
        else:
            seconds = process.back_off(now=now)
            self._console.say(f"{name} ended {_in_words(code)}; it starts again in {seconds:g} s")
            if not self._announced and process.failures >= _TRIES_BEFORE_READY:
                self._console.say(f"{name} does not start: giving up")
                self.stop(exit_code=1)

    # --- watching ---------------------------------------------------------------------------

    def _listen(self, *, now: float) -> None:
        for process in self._living():
            if process.state is State.ENDING and now > process.kill_at:
                process.kill()
        if now < self._heartbeats_at:
            return
        self._heartbeats_at = now + _HEARTBEAT_LOOK_SECONDS
        for process in self._living():
            heartbeat = process.spec.heartbeat
            if heartbeat is None or process.state is not State.RUNNING:
                continue
            if not heartbeat.judged_while():
                process.excuse(now=now)
            elif process.is_silent(now=now):
                self._console.say(f"{process.spec.name} takes no work any more: restarting it")
                process.end(now=now)

    def _pass_on_output(self, *, timeout: float) -> None:
        for key, _ in self._outputs.select(timeout):
            lines: _Lines = key.data
            for line in lines.read():
                self._console.say(line, name=lines.name)
            if lines.closed:
                self._outputs.unregister(key.fileobj)

    # --- stopping ---------------------------------------------------------------------------

    def _stop_the_unneeded(self, *, now: float) -> None:
        living = list(self._living())
        needed = {need for process in living for need in process.spec.needs}
        for process in living:
            if process.state is State.RUNNING and process.spec.name not in needed:
                process.end(now=now)
            elif process.state is State.ENDING and (self._hurrying or now > process.kill_at):
                self._console.say(f"{process.spec.name} did not end in time: killed")
                process.kill()

    def _clear(self) -> None:
        for process in self._living():  # only after an error of our own
            process.kill()
        self._pass_on_output(timeout=0)
        self._outputs.close()

    def _living(self) -> Iterator[Process]:
        return (process for process in self._processes.values() if process.alive)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def take_note(number: int, frame: FrameType | None) -> None:
            del number, frame
            self.stop()

        before = {number: signal.signal(number, take_note) for number in _STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Lines:
    """Whole lines out of a pipe that never blocks; the last one may lack its end."""

    def __init__(self, name: str, pipe: IO[bytes]) -> None:
        self.name = name
        self.closed = False
        self._pipe = pipe
        self._begun = b""

    def read(self) -> list[str]:
        """The lines that came since the last call."""
        data = self._pipe.read(_READ_BYTES)
        if data is None:  # nothing there after all
            return []
        if data:
            *whole, self._begun = (self._begun + data).split(b"\n")
        else:
            whole, self._begun = [self._begun] if self._begun else [], b""
            self.closed = True
            self._pipe.close()
        return [line.decode(errors="replace") for line in whole]


def _in_words(code: int) -> str:
    return f"by signal {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
