"""``manage.py bench_training``"""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.model import RECIPES
from labelhub.projects.commands import add_json_option, write_json
from workers.training_bench.idx import DEBIAN, BadIdx, Split
from workers.training_bench.trial import (
    Prepared,
    at_its_best,
    best_of,
    shortest,
    tutorial_seconds,
)

GOAL = 0.9


class Command(BaseCommand):
    help = (
        "Train on Fashion-MNIST (Debian's package dataset-fashion-mnist, or IDX files by path) "
        "until 90 % of the test set are right, beside the loop that tutorials teach over the same "
        "network; with --minutes also as well as a recipe can in that time."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--data", type=Path, default=DEBIAN, help="a folder of IDX files")
        parser.add_argument(
            "--recipes", default="seed,fast", help="recipes to race, seed always among them"
        )
        parser.add_argument("--minutes", type=float, default=0.0, help="for the longest training")
        parser.add_argument("--epochs", type=float, default=12.0, help="of the longest training")
        parser.add_argument("--recipe", default="fast", help="of the longest training")
        add_json_option(parser)

    def handle(self, *, data: Path, recipes: str, json: str | None, **options: Any) -> None:
        raced = list(dict.fromkeys(["seed", *recipes.split(",")]))
        for name in [*raced, options["recipe"]]:
            if name not in RECIPES or name == "features":
                raise CommandError(f"{name!r} is no recipe that is trained from pictures")
        try:
            training, test = Split.read(data, "train"), Split.read(data, "t10k")
        except OSError as error:
            raise CommandError(
                f"{error.filename}: {error.strerror}; install dataset-fashion-mnist, or give --data"
            ) from error
        except BadIdx as error:
            raise CommandError(str(error)) from error
        result = self._race(raced, training, test)
        if options["minutes"]:
            result["longest"] = at_its_best(
                options["recipe"],
                epochs=options["epochs"],
                minutes=options["minutes"],
                data=self._prepared,
                say=self._say,
            )
        write_json(result, json, self.stdout)
        if json != "-":
            self.stdout.write(_told(result))

    def _race(self, recipes: list[str], training: Split, test: Split) -> dict[str, Any]:
        """Both loops in one run; times are None where 90 % was never reached."""
        self._prepared = Prepared.of(training, test)
        baseline = tutorial_seconds(GOAL, training, test, self._say)
        found = {name: shortest(GOAL, name, self._prepared, self._say) for name in recipes}
        seed, best = found["seed"], best_of(list(found.values()))
        return {
            "seconds_to_90": seed and round(seed.seconds, 2),
            "accuracy": seed and seed.accuracy,
            "epochs": seed and seed.epochs,
            "baseline_seconds_to_90": baseline and round(baseline, 2),
            "ratio": baseline and seed and round(baseline / seed.seconds, 2),
            "best_recipe": best and best.recipe,
            "best_ratio": baseline and best and round(baseline / best.seconds, 2),
            "prepare_seconds": round(self._prepared.seconds, 2),
        }

    def _say(self, line: str) -> None:
        self.stderr.write(line)


def _told(result: dict[str, Any]) -> str:
    told = (
        f"90 % of the test set: seed after {result['seconds_to_90']} s, {result['ratio']} times as "
        f"fast as the tutorial's loop ({result['baseline_seconds_to_90']} s); best recipe "
        f"{result['best_recipe']}, {result['best_ratio']} times"
    )
    if "longest" in result:
        longest = result["longest"]
        told += (
            f"\n{longest['recipe']} in {longest['seconds']} s: {longest['accuracy']:.2%} right, "
            f"ECE {longest['ece_before']} before and {longest['ece']} after calibration"
        )
    return told
