"""The candidates that one grid can be made of: a bounded number of rows, read in one query."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from random import Random
from typing import Any, NamedTuple

from django.db import connection

from labelhub.challenges.models import Tile
from labelhub.rounds.models import Candidate
from labelhub.votes.models import Consensus

SPARE = 4  # rows read beyond what a grid needs, so that the composer has a choice
GOLD_WINDOW = 8
CHOICE_WINDOW = 8
CHECK_WINDOW = 8  # so many that one is likely of the class asked for
KIND_WINDOW = 2  # Gold and holdout images of each class
RANDOM_WINDOW = 10


class Place(NamedTuple):
    """One Candidate as the composer sees it. ``source`` is the part of the pool it came from.

    What its consensus says is read where the image is drawn at random: the answer will tell how
    right that was.
    """

    image_id: int
    label_class_id: int
    priority: float
    probability: float
    entropy: float
    asked_at: str | datetime  # as the database gives it: only its order counts
    source: str
    fingerprint: int | None = None  # of its picture: None is like nothing else
    label: int = 0  # LabelClass id of the consensus; 0 where it was not read
    confidence: float = 0.0  # of the label
    humans: int = 0  # behind it


@dataclass(frozen=True)
class Pool:
    """What the composer may draw from, by source; every list in the order of preference."""

    open: dict[int, list[Place]]  # LabelClass id -> most wanted first
    random: list[Place]
    gold: list[Place]  # asked longest ago first, any class
    gold_of: dict[int, list[Place]]  # LabelClass id -> asked longest ago first
    choice: list[Place]  # best asked with all classes to choose from, most wanted first
    check: list[Place]  # settled, drawn at random
    holdout: dict[int, list[Place]]  # LabelClass id -> most wanted first


_candidate = Candidate._meta.db_table  # noqa: SLF001  the one documented way to a table's name
_tile = Tile._meta.db_table  # noqa: SLF001
_consensus = Consensus._meta.db_table  # noqa: SLF001
_COLUMNS = "c.image_id, c.label_class_id, c.priority, c.probability, c.entropy, c.asked_at"
# Written out: a partial index serves only a query that says its condition.
_OPEN, _GOLD, _HOLDOUT = (f"c.queue = '{queue}'" for queue in ("open", "gold", "holdout"))
_GRID, _CHOICE = (f"{_OPEN} AND c.form = '{form}'" for form in ("grid", "choice"))
_SETTLED = f"{_OPEN} AND c.settled"
MEASURED = {"check", "random"}  # parts drawn at random: their answers measure the labels
_KNOWN, _UNREAD = "s.label_class_id, s.confidence, s.humans", "0, 0.0, 0"
_JOINED = f" JOIN {_consensus} s ON s.image_id = p.image_id"


def read_pool(
    *,
    project_id: int,
    annotator_id: int,
    classes: Sequence[int],
    size: int,
    choices: bool,
    generator: Random,
    now: datetime,
    everywhere: bool = False,
    gold_alone: bool = False,
) -> Pool:
    """One query: for each class the most wanted, Gold of both kinds, holdout, a random window.

    Images that the annotator has seen are left out, as are open ones leased to another grid.
    Every part has a limit and an index, so the cost does not grow with the corpus. ``everywhere``
    widens the random window to the whole circle, for the end of a project. Without ``choices``,
    images that were queued for one are wanted in grids. ``gold_alone`` reads Gold for a whole grid,
    and as much again for what looks alike. Nothing is locked: what is free here may be taken when
    it is claimed.
    """
    query = _Query(project_id, annotator_id, now)
    add = query.add
    of_class = "AND c.label_class_id = %s"
    for label_class_id in classes:
        add("open", f"{_GRID} {of_class}", "c.priority DESC", size + SPARE, label_class_id)
        add("gold_of", f"{_GOLD} {of_class}", "c.asked_at", KIND_WINDOW, label_class_id)
        add("holdout", f"{_HOLDOUT} {of_class}", "c.priority DESC", KIND_WINDOW, label_class_id)
    add("gold", _GOLD, "c.asked_at", 2 * size if gold_alone else GOLD_WINDOW)
    start = generator.random()
    window = f"{_OPEN} AND c.shuffle >= %s"
    add("random", window, "c.shuffle", RANDOM_WINDOW, start)
    add("check", f"{_SETTLED} AND c.shuffle >= %s", "c.shuffle", CHECK_WINDOW, start)
    if choices:
        add("choice", _CHOICE, "c.priority DESC", CHOICE_WINDOW)
    else:
        add("open", _CHOICE, "c.priority DESC", size + SPARE)
    if everywhere:
        add("random", window, "c.shuffle", size + SPARE, 0.0)
    return _pool(query.places(), classes)


class _Query:
    """The parts of the one query, and the values that they take."""

    def __init__(self, project_id: int, annotator_id: int, now: datetime) -> None:
        self._project_id, self._annotator_id, self._now = project_id, annotator_id, now
        self._parts: list[str] = []
        self._values: list[str | int | float | None] = []

    def add(
        self, source: str, condition: str, order: str, limit: int, *arguments: float | str
    ) -> None:
        """Ask also for so many places of this source, in this order."""
        shared = source.startswith("gold")  # many grids at once may hold the same Gold
        free = "" if shared else " AND c.leased_until <= %s"
        self._parts.append(
            f"SELECT p.*, {_KNOWN if source in MEASURED else _UNREAD} FROM"  # noqa: S608
            f" (SELECT {_COLUMNS}, %s AS source, c.fingerprint FROM {_candidate} c"
            f" WHERE c.project_id = %s AND {condition}{free}"
            f" AND NOT EXISTS (SELECT 1 FROM {_tile} t"
            f" WHERE t.annotator_id = %s AND t.image_id = c.image_id)"
            f" ORDER BY {order} LIMIT {limit:d}) AS p{_JOINED if source in MEASURED else ''}"
        )
        self._values.extend([source, self._project_id, *arguments])
        self._values.extend([] if shared else [_adapt(self._now)])
        self._values.append(self._annotator_id)

    def places(self) -> list[Place]:
        """What the database has of all that was asked for."""
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(self._parts), self._values)
            return [Place._make(row) for row in cursor.fetchall()]


_WISHES: dict[str, Callable[[Place], Any]] = {
    "open": lambda place: -place.priority,
    "holdout": lambda place: -place.priority,
    "choice": lambda place: -place.priority,
    "gold": attrgetter("asked_at"),
    "gold_of": attrgetter("asked_at"),
}


def _pool(places: Sequence[Place], classes: Sequence[int]) -> Pool:
    of: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        of[place.source].append(place)
    for source, wish in _WISHES.items():  # a union keeps no order
        of[source].sort(key=wish)

    def by_class(source: str) -> dict[int, list[Place]]:
        return {
            label_class_id: [p for p in of[source] if p.label_class_id == label_class_id]
            for label_class_id in classes
        }

    return Pool(
        open=by_class("open"),
        random=of["random"],
        gold=of["gold"],
        gold_of=by_class("gold_of"),
        choice=of["choice"],
        check=of["check"],
        holdout=by_class("holdout"),
    )


def _adapt(now: datetime) -> str:
    """The time as the database's own type, as Django writes it into the column."""
    return str(connection.ops.adapt_datetimefield_value(now))
