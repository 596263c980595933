"""``manage.py bench_serving``"""

import socket
from subprocess import CalledProcessError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelhub.benchmarks.serving import ServingOptions, measure_serving
from labelhub.dashboard.running import site_from_settings
from labelhub.projects.commands import add_json_option, write_json
from labelhub.supervision.standard import PortTaken, look_for_free_port

IMAGES_A_CLIENT = 12  # a grid's nine wait for its answer, and the next one needs others


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
        least = IMAGES_A_CLIENT * options["concurrency"]
        if options["images"] < least:
            raise CommandError(
                f"--images {options['images']} is too few for --concurrency "
                f"{options['concurrency']}: give at least {least}"
            )
        asked = ServingOptions(
            images=options["images"],
            grids=options["grids"],
            concurrency=options["concurrency"],
            database=options["database"],
            port=options["port"] or free_port(),
        )
        try:
            look_for_free_port(site_from_settings(bind="127.0.0.1", port=asked.port))
            result = measure_serving(asked)
        except PortTaken as error:
            raise CommandError(str(error)) from error
        except (RuntimeError, CalledProcessError) as error:
            raise CommandError(f"nothing was measured: {error}") from error
        if options["json"] != "-":
            self.stdout.write(
                f"{result['grids_per_second']} grids/s, {result['ratio']} of the floor "
                f"({result['floor_grids_per_second']}), p50 {result['p50_ms']} ms, "
                f"p99 {result['p99_ms']} ms, {result['errors']} errors, {result['rss_mb']} MB"
            )
        write_json(result, options["json"], self.stdout)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
