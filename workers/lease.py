"""Keeps a worker's hold on a row while it works, and stops the work when the hold is lost."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from django.db import DatabaseError, InterfaceError, connection

from labelhub.rounds.services import LeaseLost

logger = logging.getLogger(__name__)
BEAT_SECONDS = 5.0


class Heartbeat(Protocol):
    """Writes one heartbeat into the row. Raises LeaseLost when another worker holds it."""

    def __call__(self, *, now: datetime) -> None: ...


class LeaseKeeper:
    """A thread that renews the lease of a row, whatever the main thread is busy with."""

    def __init__(self, keep: Heartbeat, clock: Callable[[], datetime]) -> None:
        self._keep = keep
        self._clock = clock
        self._stop = threading.Event()
        self._lost: LeaseLost | None = None
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def check(self) -> None:
        """Raises LeaseLost when another worker has taken the work over."""
        if self._lost is not None:
            raise self._lost

    def _beat(self) -> None:
        try:
            while not self._stop.wait(BEAT_SECONDS):
                try:
                    self._keep(now=self._clock())
                except LeaseLost as error:
                    self._lost = error
                    return
                except (DatabaseError, InterfaceError) as error:
                    # Locked or down: the next beat may get through, over a new connection.
                    logger.warning("a heartbeat failed: %s", error)
                    connection.close_if_unusable_or_obsolete()
        finally:
            connection.close()
