"""Reads answers that other tools collected: a CSV file, perhaps compressed, one answer a line."""

import csv
import gzip
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

import numpy as np

from labelhub.votes.arrays import Ints
from labelhub.votes.truth_inference import LabelTable

ITEM_COLUMNS = ("item", "image_index")  # the first that is there
YES_NO = {("0", "1"), ("0", "1", "2")}
NEEDED = ("annotator", "label")  # columns, beside the item's
UNKNOWN = -1


class AnswerFileError(ValueError):
    """A file holds no answers that can be counted; the message names the file and the line."""


@dataclass(frozen=True)
class Answers:
    """The answers of a file as numbers, and what the numbers stand for."""

    table: LabelTable
    truth: Ints  # (items,) class, or UNKNOWN
    items: tuple[str, ...]
    classes: tuple[str, ...]  # in the order of their names, numbers by their value
    repeated: int  # lines that say again what the same annotator said of the item, and do not count


@dataclass(frozen=True)
class _Row:
    line: int
    item: str
    annotator: str
    label: str
    truth: str


def read_answers(path: Path, *, truth_column: str | None) -> Answers:
    """Columns ``item`` (or ``image_index``), ``annotator``, ``label``, and the truth's, if any.

    What one annotator says twice of an item in the same words counts once; two classes that one
    annotator gives to an item count both. Raises AnswerFileError.
    """
    rows = list(_rows(path, truth_column))
    if not rows:
        raise AnswerFileError(f"{path}: there are no answers in it")
    truths = _truths(path, rows)
    classes = sorted({row.label for row in rows} | set(truths.values()), key=_by_value)
    items, annotators = (
        sorted({getattr(row, name) for row in rows}, key=_by_value)
        for name in ("item", "annotator")
    )
    item_of, annotator_of, class_of = (
        {name: place for place, name in enumerate(names)} for names in (items, annotators, classes)
    )
    said = {(item_of[r.item], annotator_of[r.annotator], class_of[r.label]): None for r in rows}
    item, annotator, label = (np.array(c, dtype=np.int64) for c in zip(*said, strict=True))
    truth = np.full(len(items), UNKNOWN)
    for name, true in truths.items():
        truth[item_of[name]] = class_of[true]
    table = LabelTable.of(item, annotator, label, classes=len(classes))
    return Answers(table, truth, tuple(items), tuple(classes), repeated=len(rows) - len(said))


def require_yes_no(path: Path, answers: Answers) -> None:
    """Raises AnswerFileError unless the labels are 0 and 1, or 0, 1 (maybe) and 2."""
    if answers.classes not in YES_NO:
        shown = ", ".join(answers.classes[:5])
        raise AnswerFileError(
            f"{path}: --method grid wants labels 0 (no) and 1 (yes), or 0, 1 (maybe) and 2 (yes), "
            f"not {shown}"
        )


def _rows(path: Path, truth_column: str | None) -> Iterator[_Row]:
    try:
        with _opened(path) as stream:
            reader = csv.DictReader(stream)
            columns = set(reader.fieldnames or ())
            item = next((name for name in ITEM_COLUMNS if name in columns), "item")
            wanted = {item, *NEEDED} | ({truth_column} if truth_column else set())
            if missing := sorted(wanted - columns):
                raise AnswerFileError(f"{path}: it has no column {missing[0]!r}")
            truth = truth_column or ("truth" if "truth" in columns else "")
            for row in reader:
                told = ((row.get(name) or "").strip() for name in (item, *NEEDED, truth))
                yield _checked(path, _Row(reader.line_num, *told))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise AnswerFileError(f"{path}: it cannot be read ({error})") from error


def _checked(path: Path, row: _Row) -> _Row:
    for name in ("item", *NEEDED):
        if not getattr(row, name):
            raise AnswerFileError(f"{path}, line {row.line}: the {name} is empty")
    return row


def _truths(path: Path, rows: list[_Row]) -> dict[str, str]:
    """The true class of each item that has one. Raises AnswerFileError for two of one item."""
    truths: dict[str, str] = {}
    for row in rows:
        if row.truth and truths.setdefault(row.item, row.truth) != row.truth:
            raise AnswerFileError(
                f"{path}, line {row.line}: item {row.item!r} is {row.truth!r} here "
                f"and {truths[row.item]!r} above"
            )
    return truths


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return cast("TextIO", gzip.open(path, "rt", encoding="utf-8-sig", newline=""))
    return path.open(encoding="utf-8-sig", newline="")


def _by_value(name: str) -> tuple[float, str]:
    """Numbers by their value, before words; NaN, which has no place among numbers, is a word."""
    try:
        value = float(name)
    except ValueError:
        value = math.inf
    return (math.inf if math.isnan(value) else value, name)
