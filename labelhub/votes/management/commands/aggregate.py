"""``manage.py aggregate VOTES.csv[.gz] [--method M] [--truth COLUMN] [--out FILE] [--json F]``"""

import csv
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelhub.projects.commands import add_json_option, file_to_write, write_json
from labelhub.votes.answer_files import AnswerFileError, Answers, read_answers, require_yes_no
from labelhub.votes.arrays import Floats, Ints
from labelhub.votes.truth_inference import METHODS, accuracy


class Command(BaseCommand):
    help = (
        "Find the likeliest class of each item from answers that another tool collected. With "
        "--method grid the labels are 0 and 1 (no and yes), or 0, 1 and 2 with 1 for maybe. The "
        "same answer of one annotator about one item counts once; different ones count all."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "votes",
            type=Path,
            help="CSV with the columns item (or image_index), annotator, label, perhaps truth",
        )
        parser.add_argument("--method", choices=sorted(METHODS), default="dawid-skene")
        parser.add_argument(
            "--truth",
            metavar="COLUMN",
            help="what the accuracy is measured by, where it is not empty; default: truth, if any",
        )
        parser.add_argument(
            "--out",
            type=file_to_write("--out"),
            metavar="FILE",
            help="write item, label, probability as CSV",
        )
        add_json_option(parser)

    def handle(
        self, *, votes: Path, method: str, truth: str | None, out: Path | None, **options: Any
    ) -> None:
        started = time.perf_counter()
        try:
            answers = read_answers(votes, truth_column=truth)
            if method == "grid":
                require_yes_no(votes, answers)
        except AnswerFileError as error:
            raise CommandError(str(error)) from error
        p = METHODS[method](answers.table)
        labels, true = _scale(answers, p)
        right = accuracy(p, true)
        if out is not None:
            _write(out, answers, labels, p)
        result = {
            "items": answers.table.items,
            "annotators": answers.table.annotators,
            "votes": len(answers.table.item),
            "repeated": answers.repeated,
            "seconds": round(time.perf_counter() - started, 3),
            "accuracy": None if right is None else round(right, 5),
        }
        write_json(result, options["json"], self.stdout)
        if options["json"] != "-":
            self.stdout.write(_words(method, result))


def _words(method: str, result: dict[str, Any]) -> str:
    right, repeated = result["accuracy"], result["repeated"]
    scored = "no truth to measure by" if right is None else f"{right:.1%} right"
    again = f" ({repeated:,} more lines repeat one and do not count)" if repeated else ""
    return (
        f"{result['items']:,} items by {method}: {result['votes']:,} answers of "
        f"{result['annotators']:,} annotators{again}, {scored}, {result['seconds']} s"
    )


def _scale(answers: Answers, p: Floats) -> tuple[tuple[str, ...], Ints]:
    """The classes that the columns of ``p`` stand for, and the truth (items,) in them.

    A grid says no or yes, whatever the scale of the answers: a truth other than 0 is a yes.
    """
    if p.shape[1] == len(answers.classes):
        return answers.classes, answers.truth
    return ("0", "1"), np.minimum(answers.truth, 1)


def _write(out: Path, answers: Answers, classes: tuple[str, ...], p: Floats) -> None:
    """The whole file or none. Raises CommandError."""
    begun = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with begun.open("w", encoding="utf-8", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(["item", "label", "probability"])
            best = p.argmax(axis=1)
            for place, item in enumerate(answers.items):
                rows.writerow([item, classes[best[place]], f"{p[place, best[place]]:.6f}"])
        begun.replace(out)
    except OSError as error:
        raise CommandError(f"--out {out}: {error.strerror}") from error
    finally:
        begun.unlink(missing_ok=True)
