"""``manage.py bench_promotion``: sabotaged and honest Rounds past the promotion gate."""

import sys
import tempfile
import time
from argparse import SUPPRESS
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from fixtures.shapes import draw_shapes
from labelhub.projects.commands import add_json_option, progress, whole_number, write_json
from labelhub.projects.models import Project
from workers.gate_trial.pool import make_pool
from workers.gate_trial.sabotage import PAST_CHECKSUM, SABOTAGES
from workers.gate_trial.trial import Played, Trial, is_sabotaged, is_truly_better, result
from workers.simulate.apart import Stopped, run_apart
from workers.simulate.data import Corpus, SimulationError, read_corpus

LEAST_POOL = 1000  # of fewer, none are left that nobody ever labels


class Command(BaseCommand):
    help = (
        "Play Rounds whose worth is known past the promotion gate, in a throw-away database: so "
        "many that were sabotaged, and so many honest ones that are truly better than the version "
        "in service by twice the margin. Tells how many were promoted."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rounds", type=whole_number("--rounds", least=1), default=200)
        parser.add_argument("--images", help="NPZ with images, labels, classes; else drawn shapes")
        size = whole_number("--pool", least=LEAST_POOL)
        parser.add_argument("--pool", type=size, default=1600, help="pictures of it that are used")
        parser.add_argument("--recipe", choices=Project.Recipe.values, default="features")
        steps = whole_number("--steps", least=1)
        parser.add_argument("--steps", type=steps, default=200, help="of the recipe seed")
        parser.add_argument("--seed", type=whole_number("--seed", least=0), default=0)
        parser.add_argument(
            "--past-checksum",
            action="store_true",
            help="sabotage by labels alone, changed within the training: the checksum sees nothing",
        )
        # Of the process that plays: the database and the folder are its own already.
        parser.add_argument("--here", action="store_true", help=SUPPRESS)
        add_json_option(parser)

    def handle(self, **options: Any) -> None:
        if not options["here"]:
            self._in_a_world_of_its_own()
            return
        started = time.perf_counter()
        corpus = _corpus(options)
        call_command("migrate", verbosity=0)
        pool = make_pool(
            corpus,
            images=options["pool"],
            recipe=options["recipe"],
            steps=options["steps"],
            seed=options["seed"],
        )
        rounds = options["rounds"]
        with (
            tempfile.TemporaryDirectory() as folder,
            progress("Rounds", total=2 * rounds) as forward,
        ):

            def heard(played: Played) -> None:
                if is_sabotaged(played) or is_truly_better(played):
                    forward()
                if is_sabotaged(played) == played.promoted:
                    self.stderr.write(f"{played}")

            kinds = PAST_CHECKSUM if options["past_checksum"] else SABOTAGES
            trial = Trial(pool, Path(folder), options["seed"], heard, sabotages=kinds)
            played = trial.run(honest=rounds, sabotaged=rounds)
        found = result(played, time.perf_counter() - started)
        if options["json"] != "-":
            self.stdout.write(_words(found))
        write_json(found, options["json"], self.stdout)

    def _in_a_world_of_its_own(self) -> None:
        """Run the same command over a folder and a database that are thrown away after it."""
        try:
            code = run_apart([sys.executable, *sys.argv, "--here"])
        except Stopped as stop:
            self.stderr.write(f"{stop}; nothing of the trial is kept")
            code = stop.exit_code
        if code:
            raise SystemExit(code)


def _corpus(options: dict[str, Any]) -> Corpus:
    """The pictures asked for. Raises CommandError."""
    if options["images"] is None:
        drawn = draw_shapes(count=options["pool"], seed=options["seed"])
        return Corpus(drawn.images, drawn.labels, drawn.classes)
    try:
        corpus = read_corpus(Path(options["images"]))
    except SimulationError as error:
        raise CommandError(str(error)) from error
    if len(corpus.labels) < options["pool"]:
        raise CommandError(
            f"--pool {options['pool']}: {options['images']} has {len(corpus.labels)} pictures"
        )
    return corpus


def _words(found: dict[str, Any]) -> str:
    told = {name: found[name] for name in ("sabotaged", "truly_better", "first", "little_news")}
    return (
        "; ".join(
            f"{name.replace('_', ' ')}: {one['promoted']} of {one['rounds']} promoted"
            for name, one in told.items()
        )
        + f". {found['seconds']:.0f} s."
    )
