"""``manage.py demo_rounds --rounds N --since TIME``: the storyteller of a headless demo."""

import time
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from fixtures.shapes import draw_shapes
from labelhub.projects.commands import project_named
from workers.demo.project import DESCRIPTION, SLUG, truth_file
from workers.demo.rounds import RoundFailed, TimeIsUp, Yardstick, tell_rounds
from workers.demo.truth import Truth


class Command(BaseCommand):
    """Ends with code 0 once the Rounds have ended, 1 when one failed or the time is up."""

    help = "Tell of each Round of the demo that ends; 'demo --headless' runs this."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rounds", type=int, required=True, help="how many to wait for")
        parser.add_argument("--since", required=True, help="ISO time; earlier ends do not count")
        parser.add_argument("--minutes", type=float, required=True, help="how long to wait")
        parser.add_argument("--fresh", type=int, help="pictures of the exam")

    def handle(
        self, *, rounds: int, since: str, minutes: float, fresh: int | None, **_: Any
    ) -> None:
        began = parse_datetime(since)
        if began is None:
            raise CommandError(f"--since {since}: give an ISO time")
        exam = DESCRIPTION["sets"]["fresh"]
        count = exam["count"] if fresh is None else fresh
        yardstick = Yardstick(
            key_of=Truth.load(truth_file()).key_of(),
            fresh=draw_shapes(count=count, seed=exam["seed"], junk_share=exam["junk_share"]),
        )
        try:
            tell_rounds(
                project=project_named(SLUG),
                count=rounds,
                since=began,
                limit=timedelta(minutes=minutes),
                yardstick=yardstick,
                clock=timezone.now,
                pause=time.sleep,
                say=self.stdout.write,
            )
        except (TimeIsUp, RoundFailed) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{rounds} {'Round' if rounds == 1 else 'Rounds'} ended.")
