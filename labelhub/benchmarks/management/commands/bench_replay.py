"""``manage.py bench_replay``"""

from subprocess import CalledProcessError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelhub.benchmarks.management.commands.bench_serving import free_port
from labelhub.benchmarks.replaying import ReplayOptions, measure_replay
from labelhub.projects.commands import add_json_option, whole_number, write_json


class Command(BaseCommand):
    help = (
        "Time replays through a real server, broker and inference worker, with nothing else to do "
        "and beside a training, over a folder and a database of their own."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        least = whole_number("--replays", least=20)
        parser.add_argument("--replays", type=least, default=100, help="of each recipe, twice")
        few = whole_number("--pictures", least=120)
        parser.add_argument("--pictures", type=few, default=1200, help="that networks learn from")
        parser.add_argument("--port", type=int, default=0, help="default: a free one")
        add_json_option(parser)

    def handle(self, **options: Any) -> None:
        asked = ReplayOptions(
            replays=options["replays"],
            pictures=options["pictures"],
            port=options["port"] or free_port(),
        )
        try:
            result = measure_replay(asked)
        except (RuntimeError, LookupError, OSError, CalledProcessError) as error:
            raise CommandError(f"nothing was measured: {error}") from error
        if options["json"] != "-":
            for when in ("idle", "while_training"):
                for recipe, times in result[when].items():
                    self.stdout.write(
                        f"{recipe}, {when.replace('_', ' ')}: p50 {times['p50_ms']} ms, "
                        f"p95 {times['p95_ms']} ms, longest {times['longest_ms']} ms, "
                        f"{times['bytes']:,} bytes"
                    )
        write_json(result, options["json"], self.stdout)
