"""``manage.py import_images PROJECT SOURCE [--format] [--gold] [--dry-run] [--json FILE|-]``"""

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone

from labelhub.exchange.items import SourceError
from labelhub.exchange.services import ImportReport, import_images
from labelhub.exchange.sources import FORMATS
from labelhub.projects.commands import add_json_option, progress, project_named, write_json

NAMED = 20  # rejected files named on the screen; the JSON has all


class Command(BaseCommand):
    """Takes pictures in; exit code 0 when at least one is in the project afterwards."""

    help = "Take the pictures of a folder tree, a zip of one, or NPZ into a project."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug of the project")
        parser.add_argument("source", type=Path, help="a folder (class/image), a zip of one, NPZ")
        parser.add_argument("--format", choices=FORMATS, default="auto")
        parser.add_argument(
            "--gold",
            action="store_true",
            help="the folder or label of a picture is its class for certain; "
            "also marks pictures that are in the project already",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="check everything, write nothing"
        )
        add_json_option(parser)

    def handle(self, *, project: str, source: Path, json: str | None, **options: Any) -> None:
        found = project_named(project)
        report, started = ImportReport(), time.perf_counter()
        with progress(f"importing {source.name}", total=None) as advance:
            try:
                import_images(
                    project=found,
                    source=source,
                    source_format=options["format"],
                    gold=options["gold"],
                    dry_run=options["dry_run"],
                    now=timezone.now(),
                    report=report,
                    on_progress=advance,
                )
            except (SourceError, OSError, DatabaseError, KeyboardInterrupt) as error:
                raise CommandError(_stopped(error, report)) from error
        seconds = time.perf_counter() - started
        write_json(_as_json(report, seconds), json, self.stdout)
        if not report.added + report.duplicates:
            raise CommandError(_nothing(source, report))
        if json != "-":
            for line in _words(report, seconds, dry_run=options["dry_run"]):
                self.stdout.write(line)


def _as_json(report: ImportReport, seconds: float) -> dict[str, Any]:
    return {
        "read": report.read,
        "added": report.added,
        "duplicates": report.duplicates,
        "gold": report.gold,
        "rejected": [{"name": one.name, "reason": one.reason} for one in report.rejected],
        "seconds": round(seconds, 3),
    }


def _stopped(error: BaseException, report: ImportReport) -> str:
    """One line: what went wrong, and what was kept."""
    why = str(error).split("\n", 1)[0] or "stopped"  # Ctrl-C says nothing
    if not report.read:
        return why
    return (
        f"{why}; {report.added:,} images were added before that and stay: "
        "the same import again adds the rest"
    )


def _nothing(source: Path, report: ImportReport) -> str:
    if not report.read:
        return f"{source}: there are no files in it"
    first = report.rejected[0]
    return (
        f"{source}: none of {report.read:,} files could be taken; "
        f"the first, {first.name}: {first.reason}"
    )


def _words(report: ImportReport, seconds: float, *, dry_run: bool) -> list[str]:
    """What the screen shows."""
    would = "would be " if dry_run else ""
    counts = (
        f"{report.read:,} files read in {seconds:.1f} s: {report.added:,} {would}added, "
        f"{report.duplicates:,} were there already, {len(report.rejected):,} rejected; "
        f"{report.gold:,} {would}Gold."
    )
    lines = [counts, *(f"  {one.name}: {one.reason}" for one in report.rejected[:NAMED])]
    if len(report.rejected) > NAMED:
        lines.append(f"  … and {len(report.rejected) - NAMED:,} more; --json names all")
    return lines
