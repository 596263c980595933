"""``manage.py simulate``: the whole product, played over data whose truth is known."""

import sys
import time
from argparse import SUPPRESS
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelhub.projects.commands import (
    Advance,
    add_json_option,
    positive_number,
    progress,
    whole_number,
    write_json,
)
from labelhub.projects.models import Project
from workers.simulate.annotator_files import MOST_PEOPLE, read_annotators
from workers.simulate.apart import Stopped, run_apart
from workers.simulate.data import Corpus, SimulationError, read_corpus, read_votes
from workers.simulate.people import People, Recorded
from workers.simulate.play import Play, Rules
from workers.simulate.scoring import Point, as_rows, reached
from workers.simulate.world import Setting, make_world

STEPS = 1000  # of the progress bar
# Far more than makes sense, and little enough for the clock to count.
MOST_JUDGEMENTS, MOST_SECONDS, MOST_MINUTES = 1000, 3600, 1_000_000


class Command(BaseCommand):
    help = (
        "Play the whole product over pictures whose true classes are known, in a throw-away "
        "database: import, Gold from a few seeds, grids and choices, answers of recorded or "
        "made-up people, Rounds by the schedule, rankings. Tells how right the labels are for the "
        "people's time."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--images", required=True, help="NPZ with images, labels, classes")
        people = parser.add_mutually_exclusive_group(required=True)
        people.add_argument("--votes", help="CSV[.gz] of recorded labels")
        people.add_argument("--annotators", help="JSON list of made-up annotators")
        parser.add_argument("--seed", type=whole_number("--seed", least=0), default=0)
        _add_project_options(parser)
        _add_clock_options(parser)
        # Of the process that plays: the database and the folder are its own already.
        parser.add_argument("--here", action="store_true", help=SUPPRESS)
        add_json_option(parser)

    def handle(self, **options: Any) -> None:
        if not options["here"]:
            self._in_a_world_of_its_own()
            return
        started = time.perf_counter()
        try:
            corpus = read_corpus(Path(options["images"]))
            people = _people(corpus, options)
            call_command("migrate", verbosity=0)
            world = make_world(corpus, people, _setting(options))
            with progress("thousandths of the budget", total=STEPS) as forward:
                points = Play(world, _rules(options), _in_steps(forward)).run()
        except SimulationError as error:
            raise CommandError(str(error)) from error
        result = _result(corpus, options, points, time.perf_counter() - started)
        if options["json"] != "-":
            self.stdout.write(_words(points, result))
        write_json(result, options["json"], self.stdout)

    def _in_a_world_of_its_own(self) -> None:
        """Run the same command over a folder and a database that are thrown away after it."""
        try:
            code = run_apart([sys.executable, *sys.argv, "--here"])
        except Stopped as stop:
            begun = "\n" if sys.stderr.isatty() else ""  # the line of the progress bar
            self.stderr.write(f"{begun}{stop}; nothing of the play is kept")
            code = stop.exit_code
        if code:
            raise SystemExit(code)


def _in_steps(forward: Advance) -> Callable[[float], None]:
    """Moves a bar of STEPS by the share that is spent."""
    told = 0

    def spent(share: float) -> None:
        nonlocal told
        steps = min(STEPS, int(share * STEPS))
        if steps > told:
            forward(steps - told)
            told = steps

    return spent


def _add_project_options(parser: CommandParser) -> None:
    """How the project is set up that is played."""
    new = Project()
    seeds = whole_number("--seeds-per-class", least=0)
    minutes = whole_number("--retrain-every-minutes", least=1, most=MOST_MINUTES)
    parser.add_argument("--seeds-per-class", type=seeds, default=10)
    parser.add_argument("--grid", type=_grid_edge, default=3, help="tiles: 4, 9, 16 or 25")
    parser.add_argument("--forms", type=_forms, default="grid,choice")
    parser.add_argument(
        "--strategy", default="default", choices=["default", *Project.Acquisition.values]
    )
    parser.add_argument(
        "--recipe",
        choices=Project.Recipe.values,
        default=new.recipe,
        help="what learns (default: %(default)s, as in a new project)",
    )
    parser.add_argument(
        "--retrain-every-minutes",
        type=minutes,
        default=new.retrain_every_minutes,
        help="a Round starts at most this often (default: %(default)s, as in a new project). "
        "Its work takes no time on the people's clock: play seed, whose Rounds take a minute, "
        "with more",
    )


def _add_clock_options(parser: CommandParser) -> None:
    """How long is played, and how long people take."""
    budget = parser.add_mutually_exclusive_group()
    for group, name, most, default in (
        (budget, "--judgements-per-image", MOST_JUDGEMENTS, None),
        (budget, "--human-seconds-per-image", MOST_SECONDS, None),
        (parser, "--tile-seconds", MOST_SECONDS, 1.7),
        (parser, "--choice-seconds", MOST_SECONDS, 4.2),
    ):
        group.add_argument(name, type=positive_number(name, most=most), default=default)
    people = whole_number("--concurrent", least=1, most=MOST_PEOPLE)
    parser.add_argument("--concurrent", type=people, default=20, help="people at work at once")


def _grid_edge(text: str) -> int:
    edges = {str(edge * edge): edge for edge in range(2, 6)}
    if text not in edges:
        raise CommandError(f"--grid {text}: give 4, 9, 16 or 25 tiles")
    return edges[text]


def _forms(text: str) -> str:
    if not set(text.split(",")) <= {"grid", "choice"} or "grid" not in text:
        raise CommandError(f"--forms {text}: give 'grid' or 'grid,choice'")
    return text


def _people(corpus: Corpus, options: dict[str, Any]) -> People:
    if options["annotators"]:
        return read_annotators(Path(options["annotators"]), corpus, options["seed"])
    labels = read_votes(Path(options["votes"]), corpus)
    return Recorded(labels, options["concurrent"], np.random.default_rng([options["seed"], 3]))


def _setting(options: dict[str, Any]) -> Setting:
    strategy = options["strategy"]
    return Setting(
        seeds_per_class=options["seeds_per_class"],
        grid_edge=options["grid"],
        recipe=options["recipe"],
        acquisition=None if strategy == "default" else strategy,
        choices="choice" in options["forms"],
        retrain_every_minutes=options["retrain_every_minutes"],
        seed=options["seed"],
    )


def _rules(options: dict[str, Any]) -> Rules:
    judgements, seconds = options["judgements_per_image"], options["human_seconds_per_image"]
    return Rules(
        judgements_per_image=2.0 if judgements is None and seconds is None else judgements,
        human_seconds_per_image=seconds,
        tile_seconds=options["tile_seconds"],
        choice_seconds=options["choice_seconds"],
        concurrent=options["concurrent"],
        seed=options["seed"],
    )


def _result(
    corpus: Corpus, options: dict[str, Any], points: list[Point], seconds: float
) -> dict[str, Any]:
    return {
        "images": len(corpus.labels),
        "classes": len(corpus.classes),
        "seed": options["seed"],
        "strategy": options["strategy"],
        "recipe": options["recipe"],
        "retrain_every_minutes": options["retrain_every_minutes"],
        "forms": options["forms"],
        "seconds": round(seconds, 1),
        "curve": as_rows(points),
        "judgements_per_image_at": reached(points, "judgements_per_image"),
        "human_seconds_per_image_at": reached(points, "human_seconds_per_image"),
    }


def _words(points: list[Point], result: dict[str, Any]) -> str:
    last = points[-1]
    at = ", ".join(
        f"{float(level):.0%} at {'–' if seconds is None else f'{seconds} s'}"
        for level, seconds in result["human_seconds_per_image_at"].items()
    )
    return (
        f"{last.label_accuracy:.1%} of the labels right after {last.human_seconds_per_image} human "
        f"seconds an image ({last.judgements_per_image} judgements), {last.settled:.1%} settled; "
        f"{at}. {result['seconds']:.0f} s."
    )
