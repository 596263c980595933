"""Letters through the broker: bytes under a name that one process puts and one other takes.

What comes back from a worker to the web process, which waits for it: the broker carries it, holds
it for seconds, and forgets it by itself when nobody comes for it.
"""

import threading
import time
from collections.abc import Callable
from functools import lru_cache
from math import ceil
from typing import Any, Protocol, cast

import redis

from labelhub.supervision.broker import broker_client

COMMAND_SECONDS = 1.0  # that the broker may take for a command
PREFIX = "labelhub:letter:"


class MailboxAway(RuntimeError):
    """The broker cannot be reached, or is full."""


class Mailbox(Protocol):
    """Each method raises MailboxAway."""

    def put(self, name: str, data: bytes, *, seconds: float) -> None:
        """Leave a letter, to be forgotten after so many seconds."""

    def take(self, name: str, *, seconds: float = 0) -> bytes | None:
        """The letter, waited for; None when it did not come. It is there no more afterwards."""

    def waiting(self, queue: str) -> int:
        """How many messages wait in a queue of tasks."""


class BrokerMailbox:
    """Lists of one entry in Redis or Valkey."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = broker_client(url, seconds=COMMAND_SECONDS)

    def put(self, name: str, data: bytes, *, seconds: float) -> None:
        def both() -> None:
            with self._client.pipeline() as pipe:
                pipe.rpush(PREFIX + name, data)
                pipe.pexpire(PREFIX + name, round(1000 * seconds))
                pipe.execute()

        _reached(both)

    def take(self, name: str, *, seconds: float = 0) -> bytes | None:
        if seconds <= 0:
            return cast("bytes | None", _reached(lambda: self._client.lpop(PREFIX + name)))
        patient = _patient(self._url, ceil(seconds))
        found = _reached(lambda: patient.blpop([PREFIX + name], timeout=seconds))
        return cast("bytes", found[1]) if found else None

    def waiting(self, queue: str) -> int:
        return int(_reached(lambda: self._client.llen(queue)))


@lru_cache(maxsize=8)
def _patient(url: str, seconds: int) -> redis.Redis:
    """A client whose commands may wait for so long."""
    return broker_client(url, seconds=seconds + COMMAND_SECONDS)


def _reached(command: Callable[[], Any]) -> Any:
    try:
        return command()
    except (redis.RedisError, OSError) as error:
        raise MailboxAway(str(error)) from error


class MemoryMailbox:
    """For a broker in memory, which lives in this process alone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._letters: dict[str, tuple[bytes, float]] = {}
        self._came = threading.Condition()

    def put(self, name: str, data: bytes, *, seconds: float) -> None:
        with self._came:
            now = self._clock()
            self._letters = {key: one for key, one in self._letters.items() if one[1] > now}
            self._letters[name] = (data, now + seconds)
            self._came.notify_all()

    def take(self, name: str, *, seconds: float = 0) -> bytes | None:
        with self._came:
            self._came.wait_for(lambda: name in self._letters, seconds)
            data, until = self._letters.pop(name, (b"", 0.0))
            return data if until > self._clock() else None

    def waiting(self, queue: str) -> int:
        del queue
        return 0


@lru_cache(maxsize=4)
def mailbox_of(url: str) -> Mailbox:
    """The mailbox of a Celery broker URL."""
    return MemoryMailbox() if url.startswith("memory:") else BrokerMailbox(url)
