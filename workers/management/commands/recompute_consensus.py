"""``manage.py recompute_consensus PROJECT [--check] [--json FILE]``"""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from labelhub.projects.commands import add_json_option, progress, project_named, write_json
from labelhub.votes.models import Consensus
from workers.recomputing import TOLERANCE, recompute_consensus


class Command(BaseCommand):
    """Computes each Consensus from the vote rows and corrects, or with --check only reports."""

    help = "Compute every consensus anew from the vote rows."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug of the project")
        parser.add_argument(
            "--check",
            action="store_true",
            help=f"write nothing; exit code 1 on a difference over {TOLERANCE:g}",
        )
        add_json_option(parser)

    def handle(self, *, project: str, check: bool, json: str | None, **_: Any) -> None:
        found = project_named(project)
        started = time.perf_counter()
        total = Consensus.objects.filter(project=found).count()
        with progress("computed", total=total) as forward:
            done = recompute_consensus(
                project=found, write=not check, now=timezone.now(), on_progress=forward
            )
        result = {
            "images": done.images,
            "changed": done.changed,
            "max_difference": done.max_difference,
            "seconds": round(time.perf_counter() - started, 3),
        }
        write_json(result, json, self.stdout)
        words = (
            f"{done.changed:,} of {done.images:,} images differ from their votes, "
            f"by {done.max_difference:.3g} at most"
        )
        if check and done.changed:
            raise CommandError(f"{words}; 'recompute_consensus {found.slug}' corrects them")
        if json != "-":
            self.stdout.write(f"{words}." if check else f"{words}; corrected.")
