"""``manage.py supervise``: the whole of LabelHub on this machine, until Ctrl-C."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from labelhub.dashboard.running import run_site, site_from_settings
from labelhub.supervision.console import Console


class Command(BaseCommand):
    help = (
        "Starts, watches, restarts and stops broker, web, workers and beat. REDIS_URL, when set, "
        "names a broker of your own, and none is started."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="of the web process (8000)")
        parser.add_argument(
            "--bind", default="127.0.0.1", help="the address to listen on (127.0.0.1)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        site = site_from_settings(bind=options["bind"], port=options["port"])

        def say_where(console: Console) -> None:
            console.say(f"ready: {site.url}\nadmin: {site.url}admin/\nCtrl-C stops everything")

        sys.exit(run_site(site, on_ready=say_where))
