"""The web process's threads take turns, and a slow request holds nobody up."""

import socket
import threading
from collections import deque
from collections.abc import Iterator
from selectors import DefaultSelector

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.workers.gthread import PollableMethodQueue, TConn  # type: ignore[import-untyped]

from labelhub.supervision.serving import PatientPool, Worker

LONG = 20.0  # a test that needs it has failed


@pytest.fixture
def pool() -> Iterator[PatientPool]:
    made = PatientPool(threads=2)
    yield made
    made.shutdown()


class Slow:
    """A job that lasts until it is let go."""

    def __init__(self) -> None:
        self.begun, self._end = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self._end.wait(LONG)
        return "slow"

    def let_go(self) -> None:
        self._end.set()


def test_quick_jobs_run_one_at_a_time_in_the_order_of_their_coming() -> None:
    pool = PatientPool(threads=3, patience=LONG)
    running, done, together = 0, [], 0
    lock = threading.Lock()

    def job(number: int) -> int:
        nonlocal running, together
        with lock:
            running += 1
            together = max(together, running)
        sum(range(1000))
        with lock:
            running -= 1
            done.append(number)
        return number

    futures = [pool.submit(job, number) for number in range(300)]
    assert [future.result(LONG) for future in futures] == list(range(300))
    assert done == list(range(300))
    assert together == 1
    pool.shutdown()


def test_a_slow_job_holds_nobody_up(pool: PatientPool) -> None:
    slow = Slow()
    first = pool.submit(slow)
    assert slow.begun.wait(LONG)
    assert [pool.submit(int, "7").result(LONG) for _ in range(3)] == [7, 7, 7]
    assert not first.done()
    slow.let_go()
    assert first.result(LONG) == "slow"


def test_no_more_jobs_run_at_once_than_there_are_threads(pool: PatientPool) -> None:
    slow = [Slow(), Slow()]
    busy = [pool.submit(job) for job in slow]
    assert all(job.begun.wait(LONG) for job in slow)
    third = pool.submit(int, "3")
    assert not third.running()
    slow[1].let_go()
    assert third.result(LONG) == 3
    slow[0].let_go()
    assert [future.result(LONG) for future in busy] == ["slow", "slow"]


def test_an_error_is_the_futures_and_the_pool_goes_on(pool: PatientPool) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        pool.submit(int, "seven").result(LONG)
    assert pool.submit(int, "8").result(LONG) == 8


def test_a_pool_that_is_shut_down_ends_what_it_has_and_takes_no_more() -> None:
    pool, slow = PatientPool(threads=1), Slow()
    first, second = pool.submit(slow), pool.submit(int, "2")
    pool.shutdown()
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(int, "3")
    slow.let_go()
    assert (first.result(LONG), second.result(LONG)) == ("slow", 2)


def test_a_connection_that_says_nothing_takes_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    handled: list[object] = []
    monkeypatch.setattr(Worker, "handle", lambda _, conn: handled.append(conn))
    monkeypatch.setattr(Worker, "finish_request", lambda *_: None)
    worker = Worker.__new__(Worker)
    worker.cfg, worker.poller, worker.pending_conns = Config(), DefaultSelector(), deque()
    worker.method_queue = PollableMethodQueue()
    worker.method_queue.init()
    worker.tpool = pool = PatientPool(threads=1)
    browser, ours = socket.socketpair()
    conn = TConn(worker.cfg, ours, ("127.0.0.1", 1), ("127.0.0.1", 2))
    worker.enqueue_req(conn)
    assert list(worker.pending_conns) == [conn]
    assert pool.submit(int, "1").result(LONG) == 1  # the only thread is free
    assert not handled
    browser.sendall(b"GET / HTTP/1.1")
    worker.wait_for_and_dispatch_events(timeout=LONG)
    assert pool.submit(int, "2").result(LONG) == 2  # what came before it is done
    assert handled == [conn]
    assert not worker.pending_conns
    pool.shutdown()
    for end in (browser, ours, worker.method_queue, worker.poller):
        end.close()
