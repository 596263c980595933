"""Queries that the ORM writes once: what the hot path reads and updates with.

Composing a statement costs the ORM several times what the database needs to answer it. A prepared
query is an ordinary queryset over slots instead of values; it is composed at the first call of each
thread and shape, and afterwards only its slots are filled.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet
from django.db.models.sql import UpdateQuery

Values = dict[str, Any]
Instance = TypeVar("Instance", bound=Model)
Shape = tuple[Any, ...]

KEPT_SHAPES = 64  # composed statements a query and thread
_SLOT_NUMBER = 7_000_000_000_000
_SLOT_TIME = datetime(1903, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Statement:
    """A composed query: ``places`` says which parameter is which slot (-1: no part of a list)."""

    sql: str
    parameters: list[Any]
    places: list[tuple[int, str, int]]
    compiler: Any
    converters: dict[int, Any]


class _Made(threading.local):
    """What this thread has composed, by the shape of the values."""

    def __init__(self) -> None:
        self.statements: dict[Shape, Statement] = {}


class PreparedSelect:
    """Rows of a queryset that ends in ``values_list``.

    ``build`` takes the slots by name. A slot is a number, a text, a time, or a list of one of
    these; it must reach the database as it is, compared with a column of its own kind.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]]) -> None:
        self._build = build
        self.made = _Made()

    def rows(self, **values: Any) -> list[tuple[Any, ...]]:
        """The rows for these values, converted as the queryset would."""
        statement, parameters = _bound(self, values)
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, parameters)
            found = cursor.fetchall()
        if statement.converters:
            found = statement.compiler.apply_converters(found, statement.converters)
        return [tuple(row) for row in found]

    def _compiler(self, slots: Values) -> Any:
        return self._build(**slots).query.get_compiler(connection=connection)


class PreparedUpdate:
    """An update of a queryset that says what it changed.

    ``build`` gives the queryset and the new values by field name; ``returning`` is the column by
    which changed rows are told.
    """

    def __init__(
        self, build: Callable[..., tuple[QuerySet[Any, Any], Values]], *, returning: str
    ) -> None:
        self._build = build
        self._returning = returning
        self.made = _Made()

    def changed(self, **values: Any) -> list[Any]:
        """Update; gives the returned column of every row that was changed."""
        statement, parameters = _bound(self, values)
        with connection.cursor() as cursor:
            column = connection.ops.quote_name(self._returning)
            cursor.execute(f"{statement.sql} RETURNING {column}", parameters)
            return [row[0] for row in cursor.fetchall()]

    def _compiler(self, slots: Values) -> Any:
        queryset, written = self._build(**slots)
        query: Any = queryset.query.chain(UpdateQuery)
        query.add_update_values(written)
        return query.get_compiler(connection=connection)


def _bound(
    prepared: PreparedSelect | PreparedUpdate, values: Values
) -> tuple[Statement, list[Any]]:
    """The statement for this shape of values, and its parameters with the slots filled."""
    here = connections[DEFAULT_DB_ALIAS]
    shape: Shape = (
        here.vendor,
        *(len(value) if isinstance(value, list) else -1 for value in values.values()),
    )
    statement = prepared.made.statements.get(shape)
    if statement is None:
        statement = _composed(prepared, values, here)
        if len(prepared.made.statements) >= KEPT_SHAPES:  # a batch job's lists have many lengths
            prepared.made.statements.clear()
        prepared.made.statements[shape] = statement
    parameters = list(statement.parameters)
    for place, name, index in statement.places:
        value = values[name] if index < 0 else values[name][index]
        parameters[place] = _adapted(value, here)
    return statement, parameters


def _composed(
    prepared: PreparedSelect | PreparedUpdate, values: Values, here: BaseDatabaseWrapper
) -> Statement:
    """Compose once over slots. Raises ValueError for a slot that is changed on its way."""
    slots: Values = {}
    names: dict[Any, tuple[str, int]] = {}
    for name, value in values.items():
        parts = value if isinstance(value, list) else [value]
        marks = [_mark(part, len(names) + offset) for offset, part in enumerate(parts)]
        slots[name] = marks if isinstance(value, list) else marks[0]
        for offset, mark in enumerate(marks):
            names[_adapted(mark, here)] = (name, offset if isinstance(value, list) else -1)
    compiler = prepared._compiler(slots)  # noqa: SLF001  our own
    sql, parameters = compiler.as_sql()
    places = [
        (place, *names[parameter])
        for place, parameter in enumerate(parameters)
        if isinstance(parameter, int | float | str | datetime) and parameter in names
    ]
    if missing := {name for name, _ in names.values()} - {name for _, name, _ in places}:
        raise ValueError(f"slots {sorted(missing)} do not reach the database as they are")
    selected = [column for column, _, _ in compiler.select or ()]
    return Statement(sql, list(parameters), places, compiler, compiler.get_converters(selected))


def _mark(value: Any, number: int) -> Any:
    """A value of the same kind that nothing else in a statement equals."""
    if isinstance(value, datetime):
        return _SLOT_TIME + timedelta(days=number)
    if isinstance(value, str):
        return f"\x01slot {number}"
    if isinstance(value, float):
        return _SLOT_NUMBER + number + 0.5
    return _SLOT_NUMBER + number


def _adapted(value: Any, here: BaseDatabaseWrapper) -> Any:
    if isinstance(value, datetime):
        return here.ops.adapt_datetimefield_value(value)
    return value


@lru_cache(maxsize=64)
def columns(model: type[Model], prefix: str = "") -> tuple[str, ...]:
    """The names under which ``values_list`` gives every column of a model, in their order."""
    return tuple(prefix + field.attname for field in model._meta.concrete_fields)  # noqa: SLF001


def instance(model: type[Instance], values: Sequence[Any]) -> Instance:
    """The object of a row that holds the model's ``columns``."""
    return model.from_db(connection.alias, columns(model), values)
