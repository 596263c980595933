"""Many rows by one prepared statement: what the hot path writes with.

Building nine-row statements costs the ORM several times what the database needs to run them; these
build theirs once a model. Values go through the model's own fields, so what is written is
what the ORM would write. Constraints hold as ever; ``save`` methods and defaults do not apply.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import (
    AutoField,
    BinaryField,
    BooleanField,
    CharField,
    Field,
    FloatField,
    ForeignKey,
    IntegerField,
    Model,
)

Row = Sequence[Any]
# Of many rows: one step of the database takes two thirds of the time of many, and meanwhile other
# threads run; row by row they would meet it, and wait for it, twice a row.
VALUES_A_STATEMENT = 1280
PLAIN = (
    AutoField,
    BinaryField,
    BooleanField,
    CharField,
    FloatField,
    ForeignKey,
    IntegerField,
)


def insert_rows(model: type[Model], names: tuple[str, ...], rows: Iterable[Row]) -> None:
    """Insert rows of the named fields."""
    _execute(_insert(model, names), model, names, rows)


def insert_row(model: type[Model], names: tuple[str, ...], row: Row) -> int:
    """Insert one row; gives its id."""
    [values] = _prepared(model, names, [row])
    with connection.cursor() as cursor:
        cursor.execute(f"{_insert(model, names)} RETURNING id", values)
        return int(cursor.fetchone()[0])


def upsert_rows(
    model: type[Model],
    names: tuple[str, ...],
    rows: Iterable[Row],
    *,
    key: tuple[str, ...],
    for_life: tuple[str, ...] = (),
) -> None:
    """Insert rows, or where one with this key is there already, write all other named fields but
    those that a row has ``for_life``: their indexes need not be touched."""
    kept = {*key, *for_life}
    written = ", ".join(
        f"{_column(model, name)} = excluded.{_column(model, name)}"
        for name in names
        if name not in kept
    )
    columns = ", ".join(_column(model, name) for name in key)
    last = f" ON CONFLICT ({columns}) DO UPDATE SET {written}"
    prepared = _prepared(model, names, rows)
    size = VALUES_A_STATEMENT // len(names)
    whole = len(prepared) - len(prepared) % size
    with connection.cursor() as cursor:
        for start in range(0, whole, size):
            values = list(chain(*prepared[start : start + size]))
            cursor.execute(_insert(model, names, size) + last, values)
    _execute_prepared(_insert(model, names) + last, prepared[whole:])


def update_rows(
    model: type[Model], names: tuple[str, ...], rows: Iterable[Row], *, unless: str = ""
) -> int:
    """Write all named fields but the last in the row that the last one names.

    ``unless`` is a condition in SQL for rows to be left as they are. Gives how many were written.
    """
    written = ", ".join(f"{_column(model, name)} = %s" for name in names[:-1])
    sql = f"UPDATE {_table(model)} SET {written} WHERE {_column(model, names[-1])} = %s"  # noqa: S608  names come from the models
    return _execute(f"{sql} AND NOT ({unless})" if unless else sql, model, names, rows)


@lru_cache(maxsize=64)
def _insert(model: type[Model], names: tuple[str, ...], rows: int = 1) -> str:
    columns = ", ".join(_column(model, name) for name in names)
    row = f"({', '.join(['%s'] * len(names))})"
    return f"INSERT INTO {_table(model)} ({columns}) VALUES {', '.join([row] * rows)}"  # noqa: S608  names come from the models


def _execute(sql: str, model: type[Model], names: tuple[str, ...], rows: Iterable[Row]) -> int:
    return _execute_prepared(sql, _prepared(model, names, rows))


def _execute_prepared(sql: str, values: list[list[Any]]) -> int:
    if not values:
        return 0
    with connection.cursor() as cursor:
        if len(values) == 1:
            cursor.execute(sql, values[0])
        else:
            cursor.executemany(sql, values)
        return int(cursor.rowcount)


def _prepared(model: type[Model], names: tuple[str, ...], rows: Iterable[Row]) -> list[list[Any]]:
    """The rows as their fields would write them."""
    prepared = [list(row) for row in rows]
    here = connections[DEFAULT_DB_ALIAS]
    for place, field in _converted(model, names):
        given: Any = _converted  # a value that no row has
        for row in prepared:
            if row[place] is not given:  # one time for all rows, as is usual, is converted once
                given = row[place]
                written = field.get_db_prep_save(given, here)
            row[place] = written
    return prepared


@lru_cache(maxsize=64)
def _converted(
    model: type[Model], names: tuple[str, ...]
) -> "tuple[tuple[int, Field[Any, Any]], ...]":
    """The fields whose values a database does not take as they are, and their places."""
    return tuple(
        (place, field)
        for place, field in enumerate(_fields(model, names))
        if not isinstance(field, PLAIN)
    )


@lru_cache(maxsize=64)
def _fields(model: type[Model], names: tuple[str, ...]) -> "tuple[Field[Any, Any], ...]":
    by_column = {field.attname: field for field in model._meta.concrete_fields}  # noqa: SLF001
    by_column |= {field.name: field for field in model._meta.concrete_fields}  # noqa: SLF001
    return tuple(by_column[name] for name in names)


@lru_cache(maxsize=256)
def _column(model: type[Model], name: str) -> str:
    return connection.ops.quote_name(str(_fields(model, (name,))[0].column))


def _table(model: type[Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)  # noqa: SLF001
