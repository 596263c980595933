"""Keeps a worker's hold on a Round while it works, and stops the work when the hold is lost."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self

from django.db import DatabaseError, connection

from labelhub.rounds.services import Claim, LeaseLost, keep_lease

logger = logging.getLogger(__name__)
BEAT_SECONDS = 5.0


class LeaseKeeper:
    """A thread that renews the lease of a Round, whatever the main thread is busy with."""

    def __init__(self, claim: Claim, clock: Callable[[], datetime]) -> None:
        self.claim = claim
        self._clock = clock
        self._stop = threading.Event()
        self._lost = threading.Event()
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
        """Raises LeaseLost when another worker has taken the Round over."""
        if self._lost.is_set():
            raise LeaseLost(f"Round {self.claim.round_id} was taken over by another worker")

    def _beat(self) -> None:
        try:
            while not self._stop.wait(BEAT_SECONDS):
                try:
                    keep_lease(claim=self.claim, now=self._clock())
                except LeaseLost:
                    self._lost.set()
                    return
                except DatabaseError as error:  # locked or down: the next beat may get through
                    logger.warning("Round %s: heartbeat failed: %s", self.claim.round_id, error)
        finally:
            connection.close()
