"""What the management commands share: JSON results, and progress that suits where it is read."""

import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO

from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from labelhub.projects.models import Project

LINES = 10  # plain progress lines of one command where there is no terminal


class Advance(Protocol):
    """Call with how many more are done."""

    def __call__(self, count: int = 1, /) -> None: ...


def add_json_option(parser: CommandParser) -> None:
    """``--json FILE|-``, which is refused before any work where FILE cannot be written."""
    parser.add_argument(
        "--json",
        metavar="FILE",
        type=_json_target,
        help="write the result as JSON to this file; '-' is the screen",
    )


def _json_target(text: str) -> str:
    return text if text == "-" else str(file_to_write("--json")(text))


def file_to_write(option: str) -> Callable[[str], Path]:
    """A type for argparse: a file that can be written, as far as that shows before the work.

    It raises CommandError, which is one line: argparse would print the command's usage before it.
    """

    def checked(text: str) -> Path:
        path = Path(text)
        try:
            if not path.parent.is_dir():
                raise CommandError(f"{option} {text}: there is no folder {path.parent}")
            if path.is_dir():
                raise CommandError(f"{option} {text}: it is a folder")
            if not os.access(path if path.exists() else path.parent, os.W_OK):
                raise CommandError(f"{option} {text}: you may not write there")
        except OSError as error:
            raise CommandError(f"{option} {text}: {error.strerror}") from error
        return path

    return checked


def whole_number(option: str, *, least: int, most: int | None = None) -> Callable[[str], int]:
    """A type for argparse, which raises CommandError as ``file_to_write`` does."""
    allowed = f"{least:,} or more" if most is None else f"{least:,} to {most:,}"

    def checked(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or number < least or (most is not None and number > most):
            raise CommandError(f"{option} {text}: give a whole number, {allowed}")
        return number

    return checked


def positive_number(option: str, *, most: float) -> Callable[[str], float]:
    """A type for argparse, which raises CommandError as ``file_to_write`` does."""

    def checked(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 < number <= most:  # NaN is no such number either
            raise CommandError(f"{option} {text}: give a number above 0, up to {most:,g}")
        return number

    return checked


def write_json(result: dict[str, Any], target: str | None, stdout: Any) -> None:
    """Write the promised result. Raises CommandError when the file cannot be written."""
    if target is None:
        return
    text = json.dumps(result, indent=2, ensure_ascii=False)
    if target == "-":
        stdout.write(text)
        return
    try:
        Path(target).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--json {target}: {error.strerror}") from error


def project_named(slug: str) -> Project:
    """The project. Raises CommandError that names the slug and those there are."""
    project = Project.objects.select_related("progress").filter(slug=slug).first()
    if project is None:
        known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:20])
        raise CommandError(f"there is no project {slug!r}; there are: {known or 'none yet'}")
    return project


@contextmanager
def progress(what: str, *, total: int | None, stream: TextIO | None = None) -> Iterator[Advance]:
    """A progress bar on a terminal, a few plain lines otherwise; on stderr, apart from results."""
    out = stream or sys.stderr
    if out.isatty():
        with tqdm(total=total, desc=what, file=out, unit="", leave=False) as bar:

            def forward(count: int = 1, /) -> None:
                bar.update(count)

            yield forward
        return
    yield _plain_lines(what, total, out)


def _plain_lines(what: str, total: int | None, out: TextIO) -> Advance:
    done, told = 0, 0
    every = max(1, (total or 10_000) // LINES)

    def forward(count: int = 1, /) -> None:
        nonlocal done, told
        done += count
        if done // every > told or done == total:
            told = done // every
            out.write(f"{what}: {done:,}{f' of {total:,}' if total else ''}\n")
            out.flush()

    return forward
