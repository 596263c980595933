"""``manage.py bench_serving``"""

import socket
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelhub.benchmarks.serving import ServingOptions, measure_serving
from labelhub.projects.commands import add_json_option, write_json


class Command(BaseCommand):
    help = (
        "Serve and answer grids as fast as this machine can, over a real server process and a "
        "database of its own, and compare with what bare Django views cost in the same run."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--images", type=int, default=10_000)
        parser.add_argument("--grids", type=int, default=1000)
        parser.add_argument("--concurrency", type=int, default=16)
        parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
        parser.add_argument("--port", type=int, default=0, help="default: a free one")
        add_json_option(parser)

    def handle(self, **options: Any) -> None:
        for name in ("images", "grids", "concurrency"):
            if options[name] < 1:
                raise CommandError(f"--{name} must be at least 1")
        result = measure_serving(
            ServingOptions(
                images=options["images"],
                grids=options["grids"],
                concurrency=options["concurrency"],
                database=options["database"],
                port=options["port"] or _free_port(),
            )
        )
        if options["json"] != "-":
            self.stdout.write(
                f"{result['grids_per_second']} grids/s, {result['ratio']} of the floor "
                f"({result['floor_grids_per_second']}), p50 {result['p50_ms']} ms, "
                f"p99 {result['p99_ms']} ms, {result['errors']} errors, {result['rss_mb']} MB"
            )
        write_json(result, options["json"], self.stdout)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
