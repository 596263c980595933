"""Writers wait in a queue, not in SQLite's busy handler.

SQLite lets one connection write at a time. Those that come meanwhile sleep, for up to 100 ms a try,
in no order: under sixteen clients some waited for seconds while others overtook them. Here a
transaction first takes its turn, by a lock among the threads of its process and a file lock among
processes, which the kernel frees when one is killed. It only orders: what is right is still up to
SQLite's own locks, and single statements outside a transaction go their usual way.
"""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

from django.db import OperationalError
from django.db.backends.sqlite3 import base

POLL_SECONDS = 0.0005
KEPT_STATEMENTS = 512
COPIED_EVERY = 64  # commits of a process
COPY_BACK = "PRAGMA wal_checkpoint(PASSIVE)"
_commits = count(1)
_turns: dict[str, threading.Lock] = {}
_turns_lock = threading.Lock()


class Cursor(base.SQLiteCursorWrapper):
    """Django's cursor, which turns the places of a statement into SQLite's own once, not always."""

    def convert_query(self, query: str, *, param_names: list[str] | None = None) -> str:
        if param_names is not None:
            return str(super().convert_query(query, param_names=param_names))
        return _converted(query)


@lru_cache(maxsize=KEPT_STATEMENTS)
def _converted(query: str) -> str:
    return base.FORMAT_QMARK_REGEX.sub("?", query).replace("%%", "%")


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection whose transactions take turns with all others on the same file."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._held: tuple[threading.Lock, int] | None = None
        self._awaits_disk = True

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """The first one makes the folder too, as SQLite makes the file."""
        name = str(conn_params["database"])
        if name != ":memory:" and not name.startswith("file:"):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
        return super().get_new_connection(conn_params)

    def create_cursor(self, name: str | None = None) -> Cursor:
        del name
        cursor: Cursor = self.connection.cursor(factory=Cursor)
        return cursor

    @contextmanager
    def unawaited(self) -> Iterator[None]:
        """Transactions begun in this block do not wait for the disk: see projects/durability."""
        self._awaits_disk = False
        try:
            yield
        finally:
            self._awaits_disk = True
            if self.connection is not None:
                self.connection.execute("PRAGMA synchronous=FULL")

    def _start_transaction_under_autocommit(self) -> None:
        if not self._awaits_disk:
            self.connection.execute("PRAGMA synchronous=NORMAL")
        self._take_turn()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._end_turn()
            raise

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]  # when this fails Django rolls back
        took_turn = self._held is not None
        self._end_turn()
        if took_turn and next(_commits) % COPIED_EVERY == 0:
            self._copy_back()

    def _copy_back(self) -> None:
        """Copy what the log holds into the file, while others write on.

        It takes as long as ten grids; left to SQLite, it would happen within somebody's turn. What
        fails here is tried again there: the transaction before it is committed, whatever happens.
        """
        with suppress(sqlite3.Error):
            self.connection.execute(COPY_BACK).fetchall()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _take_turn(self) -> None:
        """Wait for this connection's turn, as long as a statement may. Raises OperationalError."""
        if self._held or self.is_in_memory_db():
            return
        path = f"{self.settings_dict['NAME']}-turn"
        deadline = time.monotonic() + float(self.settings_dict["OPTIONS"].get("timeout", 5.0))
        with _turns_lock:
            turn = _turns.setdefault(path, threading.Lock())
        if not turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise OperationalError("database is locked")
        try:
            self._held = (turn, _locked_file(path, deadline))
        except BaseException:
            turn.release()
            raise

    def _end_turn(self) -> None:
        if self._held:
            turn, descriptor = self._held
            self._held = None
            os.close(descriptor)  # and with it the lock
            turn.release()


def _locked_file(path: str, deadline: float) -> int:
    """A descriptor that holds the lock among processes; only one thread of each polls for it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise OperationalError("database is locked") from None
            time.sleep(POLL_SECONDS)
        else:
            return descriptor
