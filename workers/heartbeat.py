"""A worker says that it can take work, by touching a file that the supervisor watches.

Loaded into supervised workers by ``-I …,workers.heartbeat``. What the touch means:

- The consumer's event loop turns and is connected to the broker: its timer notes each turn, and is
  cancelled when the connection is lost. A worker that hangs, or does not come back after the broker
  does, falls silent.
- Or a task is running. The solo pool runs tasks inside the event loop, which then stands still for
  as long as a training takes; so a thread touches the file, and counts a running task as life. A
  task that hangs is the Round's matter, not the worker's: its lease runs out.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import bootsteps, current_app
from celery.worker import state
from celery.worker.consumer.tasks import Tasks
from django.conf import settings

from labelhub.supervision.places import heartbeat_file

BEAT_SECONDS = 2.0
_LOOP_MAY_PAUSE_SECONDS = 3 * BEAT_SECONDS


class Heart:
    """Touches a file from a thread of its own while the loop turns or a task runs."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._turned_at = clock()
        self._thread = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)

    def note_turn(self) -> None:
        """The connected loop is turning."""
        self._turned_at = self._clock()
        if not self._thread.is_alive():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._thread.start()

    def beats(self) -> bool:
        """Whether the worker can take work, or is at it."""
        turned = self._clock() - self._turned_at < _LOOP_MAY_PAUSE_SECONDS
        return turned or bool(state.active_requests)

    def _beat_on(self) -> None:
        while True:
            if self.beats():
                self._path.touch()
            threading.Event().wait(BEAT_SECONDS)


class HeartStep(bootsteps.StartStopStep):
    """Ties the heart to the consumer: started at each connection, stopped when that is lost."""

    requires = (Tasks,)

    def __init__(self, consumer: Any, **options: Any) -> None:
        worker = consumer.hostname.partition("@")[0]
        self._heart = Heart(heartbeat_file(Path(settings.DATA_DIR), worker), time.monotonic)
        self._timer: Any = None
        super().__init__(consumer, **options)

    def start(self, consumer: Any) -> None:
        """The consumer is connected: count the turns of its loop."""
        self._heart.note_turn()
        self._timer = consumer.timer.call_repeatedly(BEAT_SECONDS, self._heart.note_turn)

    def stop(self, consumer: Any) -> None:
        """The connection is lost, or the worker ends."""
        del consumer
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


current_app.steps["consumer"].add(HeartStep)
