"""The SQLite backend: turns among writers, and the log that is copied back outside of them."""

import shutil
import sqlite3
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from django.db import OperationalError
from django.db.utils import ConnectionHandler
from pytest_django.plugin import DjangoDbBlocker

from labelhub.sqlite import base


@pytest.fixture
def databases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker
) -> Iterator[ConnectionHandler]:
    """Two connections to one new file."""
    one = {
        "ENGINE": "labelhub.sqlite",
        "NAME": tmp_path / "db.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 0.05,
            "init_command": "PRAGMA journal_mode=WAL",
        },
    }
    handler = ConnectionHandler({"default": one, "other": one})
    monkeypatch.setattr(base, "_commits", count(1))
    monkeypatch.setattr(base, "COPIED_EVERY", 3)
    with django_db_blocker.unblock():
        with handler["default"].cursor() as cursor:
            cursor.execute("CREATE TABLE note (text TEXT)")
        yield handler
        handler.close_all()


def write(database: base.DatabaseWrapper, text: str) -> None:
    """One transaction, as the product writes."""
    database.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    database.cursor().execute("INSERT INTO note VALUES (%s)", [text])
    database.commit()
    database.set_autocommit(True)


def in_the_file(database: base.DatabaseWrapper) -> int:
    """Notes in the file itself, without its log; -1 where not even the table is."""
    path = Path(database.settings_dict["NAME"])
    alone = path.with_name("alone.sqlite3")
    shutil.copy(path, alone)
    with sqlite3.connect(alone) as reader:
        try:
            return int(reader.execute("SELECT count(*) FROM note").fetchone()[0])
        except sqlite3.OperationalError:
            return -1


def test_the_log_is_copied_into_the_file_now_and_then(databases: ConnectionHandler) -> None:
    database = databases["default"]
    write(database, "one")
    write(database, "two")
    assert in_the_file(database) == -1
    write(database, "three")
    assert in_the_file(database) == 3


def test_what_is_committed_stays_so_when_the_log_cannot_be_copied(
    databases: ConnectionHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "COPY_BACK", "PRAGMA nonsense(")
    database = databases["default"]
    for text in ("one", "two", "three", "four"):
        write(database, text)
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM note")
        assert cursor.fetchone() == (4,)


def test_the_log_is_copied_when_the_turn_is_over(
    databases: ConnectionHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, other = databases["default"], databases["other"]
    monkeypatch.setattr(base, "COPIED_EVERY", 1)
    monkeypatch.setattr(
        base.DatabaseWrapper, "_copy_back", lambda mine: mine is database and write(other, "there")
    )
    write(database, "here")  # the other one has its turn within the copying
    with database.cursor() as cursor:
        cursor.execute("SELECT text FROM note ORDER BY text")
        assert cursor.fetchall() == [("here",), ("there",)]


def test_who_waits_too_long_for_a_turn_is_told_that_the_database_is_locked(
    databases: ConnectionHandler,
) -> None:
    database, other = databases["default"], databases["other"]
    database.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    with pytest.raises(OperationalError, match="locked"):
        write(other, "too soon")
    database.rollback()
    database.set_autocommit(True)
    write(other, "now")


def test_the_folder_of_a_new_database_is_made(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    file = tmp_path / "not" / "yet" / "db.sqlite3"
    handler = ConnectionHandler({"default": {"ENGINE": "labelhub.sqlite", "NAME": file}})
    with django_db_blocker.unblock():
        with handler["default"].cursor() as cursor:
            cursor.execute("CREATE TABLE note (text TEXT)")
        handler.close_all()
    assert file.is_file()
