"""Reads annotators that somebody made up: each field is looked at, and a wrong one is named."""

import json
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any

from workers.simulate.data import Corpus, SimulationError
from workers.simulate.people import KINDS, Habits, MadeUp

MOST_PEOPLE, MOST_PACE = 100_000, 1000
SHOWN = 40  # characters of a wrong value


def read_annotators(path: Path, corpus: Corpus, seed: int) -> MadeUp:
    """A JSON list of Habits, or an object with such a list as ``annotators``.

    Raises SimulationError.
    """
    try:
        told: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SimulationError(f"{path}: no JSON that can be read ({error})") from error
    rows = told.get("annotators") if isinstance(told, dict) else told
    if not isinstance(rows, list) or not rows:
        raise SimulationError(f"{path}: a list of annotators was expected")
    size = len(corpus.classes)
    habits = [
        _habits(f"{path}, annotator {number}", row, size) for number, row in enumerate(rows, 1)
    ]
    return MadeUp(habits, corpus, seed)


def _habits(where: str, row: object, classes: int) -> Habits:
    if not isinstance(row, dict):
        raise SimulationError(f'{where}: an object was expected, such as {{"count": 3}}')
    if strange := sorted(set(row) - set(FIELDS)):
        raise SimulationError(f"{where}: {strange[0]!r} is none of {', '.join(sorted(FIELDS))}")
    for name, value in row.items():
        allowed, is_allowed = FIELDS[name]
        if not is_allowed(value, classes):
            shown = json.dumps(value, ensure_ascii=False)[:SHOWN]
            wanted = allowed.replace("K", str(classes))
            raise SimulationError(f"{where}: {name} {shown} is not {wanted}")
    values = dict(row)
    if values.get("confusion") is not None:
        values["confusion"] = tuple(tuple(map(float, line)) for line in values["confusion"])
    return Habits(**values)


def _is_whole(value: object, _classes: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _is_count(value: Any, classes: int) -> bool:
    return _is_whole(value, classes) and 1 <= value <= MOST_PEOPLE


def _is_share(value: Any, _classes: int) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_pace(value: Any, _classes: int) -> bool:
    return _is_number(value) and 0 < value <= MOST_PACE


def _is_confusion(value: Any, classes: int) -> bool:
    """(K, K) weights, or nothing."""
    return value is None or (
        _has_length(value, classes)
        and all(_has_length(line, classes) for line in value)
        and all(_is_number(weight) and weight >= 0 for line in value for weight in line)
    )


def _has_length(value: object, length: int) -> bool:
    return isinstance(value, list) and len(value) == length


# What a field may be, in words (K classes) and as a test of a value and the number of classes.
FIELDS: dict[str, tuple[str, Callable[[Any, int], bool]]] = {
    "count": (f"a whole number, 1 to {MOST_PEOPLE:,}", _is_count),
    "kind": (f"one of {', '.join(KINDS)}", lambda value, _: value in KINDS),
    "accuracy": ("a number, 0 to 1", _is_share),
    "spread": ("a number, 0 to 1", _is_share),
    "confusion": ("K x K numbers, 0 or more", _is_confusion),
    "pace": (f"a number above 0, up to {MOST_PACE:,}", _is_pace),
    "shift": ("a whole number", _is_whole),
}
