"""``manage.py bench_aggregation``"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelhub.benchmarks.aggregation import measure_aggregation
from labelhub.projects.commands import add_json_option, write_json


class Command(BaseCommand):
    help = (
        "Infer the truth behind the answers of a made-up crowd by confusion matrices, and compare "
        "with crowd-kit's DawidSkene where it is installed ('pip install crowd-kit')."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--items", type=int, default=100_000)
        parser.add_argument("--votes-per-item", type=int, default=5)
        add_json_option(parser)

    def handle(self, *, items: int, votes_per_item: int, json: str | None, **_: Any) -> None:
        for name, value in (("--items", items), ("--votes-per-item", votes_per_item)):
            if value < 1:
                raise CommandError(f"{name} must be at least 1")
        result = measure_aggregation(items=items, votes_per_item=votes_per_item)
        write_json(result, json, self.stdout)
        if json != "-":
            peer = (
                "crowd-kit is not installed, nothing to compare with"
                if result["ratio"] is None
                else f"crowd-kit {result['peer_seconds']} s, {result['ratio']} times as long"
            )
            self.stdout.write(
                f"{items:,} items, {votes_per_item} answers each: {result['seconds']} s, "
                f"{result['accuracy']:.1%} right; {peer}"
            )
