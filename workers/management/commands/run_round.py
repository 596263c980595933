"""``manage.py run_round PROJECT [--wait] [--json FILE]``"""

import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from labelhub.projects.commands import add_json_option, project_named, write_json
from labelhub.rounds.models import Round
from labelhub.rounds.services import RoundIsOpen, TooFewLabels, open_round
from workers.following import report, watch, work_here
from workers.round_display import RoundDisplay


class Command(BaseCommand):
    """Opens a Round; exit code 0 once it is open, or with --wait once it ended, 1 if it failed."""

    help = "Open a Round: train, evaluate, promote or refuse, rank."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug of the project")
        parser.add_argument(
            "--wait",
            action="store_true",
            help="follow the Round to its end; where no worker is listening, do its work here",
        )
        add_json_option(parser)

    def handle(self, *, project: str, wait: bool, json: str | None, **_: Any) -> None:
        found = project_named(project)
        try:
            row = open_round(
                project=found,
                trigger=Round.Trigger.PERSON,
                opened_by_id=None,
                now=timezone.now(),
            )
        except (RoundIsOpen, TooFewLabels) as error:
            raise CommandError(str(error)) from error
        if wait:
            row = self._followed(row)
        result = report(row)
        write_json(result, json, self.stdout)
        if row.state == Round.State.FAILED:
            raise CommandError(f"Round {row.number} of {found.slug} failed: {row.reason}")
        if json != "-":
            self.stdout.write(_words(row, result))

    def _followed(self, row: Round) -> Round:
        with RoundDisplay(sys.stderr) as show:
            row = watch(round_id=row.pk, show=show, clock=timezone.now, pause=time.sleep)
            if row.is_open:
                self.stderr.write("No worker is listening: the work is done in this process.")
                row = work_here(round_id=row.pk, show=show, clock=timezone.now)
        if row.is_open:
            raise CommandError(
                f"Round {row.number} is held by {row.worker or 'another worker'} and not finished; "
                "its lease runs out within a minute, then it goes on"
            )
        return row


def _words(row: Round, result: dict[str, Any]) -> str:
    if row.is_open:
        return f"Round {row.number} is open; a worker that listens takes it."
    seconds = sum(took for took in result["seconds"].values() if took is not None)
    return f"Round {row.number}: {row.get_outcome_display()}; {row.reason}. {seconds:.1f} s."
