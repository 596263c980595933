"""``manage.py bench_label_errors``: how well wrong labels are found among known ones."""

import sys
import time
from argparse import SUPPRESS
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelhub.projects.commands import (
    add_json_option,
    positive_number,
    whole_number,
    write_json,
)
from labelhub.projects.models import Project
from workers.simulate.apart import Stopped, run_apart
from workers.simulate.data import Corpus, SimulationError, read_corpus, read_votes
from workers.simulate.planted import Planted, measure, planted_at_random, planted_by_people
from workers.simulate.world import Setting


class Command(BaseCommand):
    help = (
        "Import pictures with labels of which some are wrong, run a real Round over them in a "
        "throw-away database, and tell how well its out-of-fold networks find the wrong ones."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--images", required=True, help="NPZ with images, labels, classes")
        kind = parser.add_mutually_exclusive_group()
        share = positive_number("--wrong-share", most=0.5)
        kind.add_argument("--wrong-share", type=share, default=0.05, help="at random (0.05)")
        kind.add_argument("--votes", help="CSV[.gz] of recorded labels: the first of each picture")
        parser.add_argument("--seed", type=whole_number("--seed", least=0), default=0)
        parser.add_argument(
            "--recipe", choices=Project.Recipe.values, default=Project().recipe, help="what learns"
        )
        # Of the process that measures: the database and the folder are its own already.
        parser.add_argument("--here", action="store_true", help=SUPPRESS)
        add_json_option(parser)

    def handle(self, **options: Any) -> None:
        if not options["here"]:
            self._in_a_world_of_its_own()
            return
        started = time.perf_counter()
        setting = Setting(
            seeds_per_class=0,
            grid_edge=3,
            recipe=options["recipe"],
            acquisition=None,
            choices=False,
            seed=options["seed"],
        )
        try:
            planted = _planted(read_corpus(Path(options["images"])), options)
            call_command("migrate", verbosity=0)
            result = measure(planted, setting)
        except SimulationError as error:
            raise CommandError(str(error)) from error
        result |= {"recipe": options["recipe"], "seed": options["seed"]}
        result["seconds"] = round(time.perf_counter() - started, 1)
        if options["json"] != "-":
            self.stdout.write(_words(result))
        write_json(result, options["json"], self.stdout)

    def _in_a_world_of_its_own(self) -> None:
        """Run the same command over a folder and a database that are thrown away after it."""
        try:
            code = run_apart([sys.executable, *sys.argv, "--here"])
        except Stopped as stop:
            self.stderr.write(f"{stop}; nothing is kept")
            code = stop.exit_code
        if code:
            raise SystemExit(code)


def _planted(corpus: Corpus, options: dict[str, Any]) -> Planted:
    if options["votes"]:
        return planted_by_people(corpus, read_votes(Path(options["votes"]), corpus))
    return planted_at_random(corpus, share=options["wrong_share"], seed=options["seed"])


def _words(result: dict[str, Any]) -> str:
    wrong = f"{result['wrong']:,}"
    first = (
        f"{wrong} of {result['labels']:,} labels are wrong; {result['suspected']:,} are suspected, "
        f"{result['suspected_precision']:.1%} of them rightly, and "
        f"{result['suspected_recall']:.1%} of the wrong ones are among them."
    )
    orders = [
        f"  by {name.replace('_', ' ')}: {found['precision']:.1%} of the first "
        f"{wrong} are wrong, AUROC {found['auroc']:.4f}, average precision "
        f"{found['average_precision']:.4f}"
        for name, found in result["orders"].items()
    ]
    return "\n".join([first, *orders])
