"""``manage.py bench_ranking``"""

import sys
from argparse import SUPPRESS
from contextlib import ExitStack
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelhub.benchmarks.postgres import postgres_url
from labelhub.projects.commands import add_json_option, write_json
from workers.benchmarks.ranking import measure_ranking
from workers.simulate.apart import Stopped, run_apart


class Command(BaseCommand):
    help = (
        "Rank a pool of pictures by the code of the ranking task, from shards of pixels and from "
        "the stored files, over a database of its own, and compare with the bare forward of the "
        "same network over pictures in memory, in turns."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--images", type=int, default=20_000)
        parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
        # Of the process that measures: the database and the folder are its own already.
        parser.add_argument("--here", action="store_true", help=SUPPRESS)
        add_json_option(parser)

    def handle(self, *, images: int, database: str, json: str | None, **options: Any) -> None:
        if images < 1:
            raise CommandError("--images must be at least 1")
        if not options["here"]:
            self._in_a_world_of_its_own(database)
            return
        call_command("migrate", verbosity=0)
        result = measure_ranking(images=images)
        if json != "-":
            self.stdout.write(_words(result))
        write_json(result, json, self.stdout)

    def _in_a_world_of_its_own(self, database: str) -> None:
        """Run the same command over a folder and a database that are thrown away after it."""
        with ExitStack() as cleanup:
            world = {}
            try:
                if database == "postgres":
                    world["DATABASE_URL"] = cleanup.enter_context(postgres_url())
                code = run_apart([sys.executable, *sys.argv, "--here"], world)
            except Stopped as stop:
                raise CommandError(str(stop), returncode=stop.exit_code) from stop
            except RuntimeError as error:
                raise CommandError(f"nothing was measured: {error}") from error
        if code:
            raise CommandError("nothing was measured; why is said above", returncode=code)


def _words(result: dict[str, object]) -> str:
    return (
        f"{result['images']:,} images: {result['images_per_second']} a second to predictions, "
        f"{result['ratio']} of the bare forward ({result['limit_images_per_second']}); "
        f"{result['to_queues_images_per_second']} a second to the queues; from the files "
        f"{result['from_files_images_per_second']}, {result['from_files_ratio']} of it; "
        f"{result['rss_mb']} MB"
    )
