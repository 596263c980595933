"""The web process's threads: one request at a time, others only while that one is slow.

Two threads of one Python process that both have work to do cost more than one that does both: they
wait for each other at every turn, also while one of them holds the database's turn. But an export
that takes a minute, or a phone that sends its answer slowly, must hold nobody up. So a request that
takes longer than PATIENCE_SECONDS no longer counts: the next one starts beside it.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

PATIENCE_SECONDS = 0.05


class PatientPool(Executor):
    """Runs jobs in the order of their coming, one at a time; beside a slow one the next is begun.

    At most ``threads`` jobs run at once, slow ones included; slow is what takes longer than
    ``patience`` seconds.
    """

    def __init__(self, threads: int, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._jobs: deque[Callable[[], None]] = deque()
        self._begun: dict[int, float] = {}  # thread -> when it began what it is doing
        self._changed = threading.Condition()
        self._closed = False
        for number in range(threads):
            name = f"request-{number}"
            threading.Thread(target=self._work, args=(number,), name=name, daemon=True).start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Raises RuntimeError after ``shutdown``."""
        future: Future[Any] = Future()

        def job() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    result = fn(*args, **kwargs)
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)

        with self._changed:
            if self._closed:
                raise RuntimeError("the pool is shut down")
            self._jobs.append(job)
            if not self._begun:  # the others wake too, and watch the one that takes it
                self._changed.notify_all()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  as in Executor
        """Begin no more jobs than were submitted; ``wait`` is of no use to a server that ends."""
        del wait
        with self._changed:
            self._closed = True
            if cancel_futures:
                self._jobs.clear()
            self._changed.notify_all()

    def _work(self, number: int) -> None:
        while job := self._next(number):
            job()
            del job  # and with it the connection, which may have ended

    def _next(self, number: int) -> Callable[[], None] | None:
        """The job that this thread is to do now, waited for; None when there will be none."""
        with self._changed:
            self._begun.pop(number, None)
            while not (self._jobs and self._all_slow()):
                if self._closed and not self._jobs:
                    return None
                self._changed.wait(self._patience if self._begun else None)
            self._begun[number] = time.monotonic()
            return self._jobs.popleft()

    def _all_slow(self) -> bool:
        slow = time.monotonic() - self._patience
        return all(begun <= slow for begun in self._begun.values())


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's worker of threads over a patient pool, which no silent connection enters."""

    def get_thread_pool(self) -> PatientPool:
        return PatientPool(self.cfg.threads)

    def enqueue_req(self, conn: Any) -> None:
        """Browsers open connections ahead: one that has sent nothing yet waits in the poller, not
        in a thread, and is closed when a kept one would be."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        conn.sock.setblocking(False)
        conn.set_timeout()
        self.pending_conns.append(conn)
        readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, EVENT_READ, readable)
