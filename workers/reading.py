"""Reading many rows as of one moment, while people go on voting."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.models import Max

from labelhub.projects.models import Project
from labelhub.votes.models import Vote

LONGEST_WAIT = "5s"  # for votes that are being written; each takes milliseconds


@contextmanager
def one_reading() -> Iterator[None]:
    """Every query in this block sees the rows of the same moment; no writer waits for it.

    Nothing can be written in it. Inside a transaction of the caller's it adds nothing.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic():
            _execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    else:  # SQLite: Django's own transactions are for writers, this one reads the log as it stands
        _execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            _execute("ROLLBACK")


def last_vote(*, project: Project) -> int:
    """The highest id among a project's votes, of which none below it is still to come; or 0.

    PostgreSQL gives an id before the vote is committed: those that are on their way are waited for.
    """
    votes = Vote.objects.filter(project=project)
    if connection.vendor != "postgresql":
        return int(votes.aggregate(last=Max("id"))["last"] or 0)
    with transaction.atomic():
        _execute(f"SET LOCAL lock_timeout = '{LONGEST_WAIT}'")
        _execute("LOCK TABLE votes_vote IN SHARE MODE")
        return int(votes.aggregate(last=Max("id"))["last"] or 0)


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
