"""A transaction for rows that nobody was promised yet: whole or absent, the disk not awaited.

A commit waits until the disk has it, which is most of what a small one costs. An issued grid need
not: should the power fail before it is on the disk, the browser's answer finds no grid and is told
so. What is answered is safe, because both databases write one log in order: the commit of the votes
waits for the disk, and takes with it all that was committed before.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def unawaited_transaction() -> Iterator[None]:
    """As ``transaction.atomic``; inside another transaction, that one decides."""
    if connection.in_atomic_block:
        with transaction.atomic():
            yield
    elif connection.vendor == "sqlite":
        with connection.unawaited(), transaction.atomic():  # type: ignore[attr-defined]  # labelhub.sqlite
            yield
    else:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit TO OFF")
            yield
