"""``manage.py plot_simulations``: curves of several simulations in one picture."""

from math import inf
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelhub.projects.commands import file_to_write
from workers.simulate.data import SimulationError
from workers.simulate.plot import draw, read_curves, usual_practice


class Command(BaseCommand):
    help = (
        "Draw results of simulate (--json) as an SVG: how right the labels are for people's time, "
        "a line for each strategy, the mean of its seeds with the least and the most."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("out", type=file_to_write("the SVG"), help="the SVG to write")
        parser.add_argument("results", nargs="+", help="JSON files that simulate wrote")
        parser.add_argument("--title", default="Right labels for people's time")
        parser.add_argument(
            "--usual",
            nargs=2,
            type=float,
            metavar=("SECONDS", "ACCURACY"),
            help="what labelling every image outright takes, and how right it is: drawn in",
        )

    def handle(self, **options: Any) -> None:
        try:
            curves = read_curves([Path(name) for name in options["results"]])
        except SimulationError as error:
            raise CommandError(str(error)) from error
        if options["usual"]:
            seconds, accuracy = options["usual"]
            if not (0 < seconds < inf and 0 <= accuracy <= 1):
                raise CommandError("--usual: seconds above 0 and an accuracy in 0 to 1")
            curves.append(usual_practice(seconds, accuracy))
        try:
            options["out"].write_text(draw(curves, options["title"]), encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{options['out']}: {error.strerror}") from error
        self.stdout.write(f"{len(curves)} curves in {options['out']}")
