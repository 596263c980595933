"""``manage.py demo``, which ``make demo`` runs: from nothing to a project being labelled."""

import os
import secrets
import socket
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from labelhub.dashboard.running import run_site, site_from_settings
from labelhub.supervision.console import Console
from labelhub.supervision.specs import ProcessSpec
from labelhub.supervision.standard import Site
from workers.demo.processes import robots_spec, rounds_spec
from workers.demo.project import (
    ADMIN,
    SLUG,
    Wishes,
    admin_password,
    open_first_round,
    prepare_demo,
    truth_file,
)

PORT = 8000
HEADLESS_ROBOTS = 5
HEADLESS_ROUNDS = 2
MINUTES_A_ROUND = 15.0  # of a minute on an idle machine; training gives way to everything else
PACE, HEADLESS_PACE = 2.5, 1.0  # seconds a robot takes for a grid


class Command(BaseCommand):
    """Each option may also be given as a variable: PORT, ROBOTS, HEADLESS, ROUNDS."""

    help = (
        "A project over drawn shapes under one supervisor, ready to be labelled. The first run "
        "makes it, later runs start in seconds. PORT, ROBOTS, HEADLESS and ROUNDS in the "
        "environment are the defaults of the options; DATA_DIR says where everything is kept."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int)
        parser.add_argument("--robots", type=int, help="simulated visitors")
        parser.add_argument(
            "--headless",
            action="store_true",
            default=os.environ.get("HEADLESS", "0") not in {"", "0"},
            help="let robots run the loop, tell of each Round, and stop",
        )
        parser.add_argument("--rounds", type=int, help="of a headless run")
        parser.add_argument(
            "--minutes", type=float, help="a headless run fails after these (15 a Round)"
        )
        parser.add_argument("--pace", type=float, help="seconds a robot takes for a grid")
        parser.add_argument("--images", type=int, help="pictures of a new demo project")
        parser.add_argument("--fresh", type=int, help="pictures of the exam after each Round")

    def handle(
        self,
        *,
        headless: bool,
        port: int | None,
        robots: int | None,
        rounds: int | None,
        **options: Any,
    ) -> None:
        port = _given(port, "PORT", os.environ.get("PORT"))
        robots = _given(robots, "ROBOTS", os.environ.get("ROBOTS"))
        rounds = _given(rounds, "ROUNDS", os.environ.get("ROUNDS"))
        if rounds is not None and not headless:
            raise CommandError("ROUNDS counts the Rounds of a headless run: give HEADLESS=1 too")
        site = site_from_settings(
            bind="127.0.0.1", port=port or (_free_port() if headless else PORT)
        )
        wishes = Wishes(options["images"])

        def prepare(console: Console) -> None:
            prepare_demo(wishes=wishes, now=timezone.now(), say=console.say)
            connection.close()

        def on_ready(_: Console) -> None:
            open_first_round(now=timezone.now())
            self.stdout.write(_welcome(site, admin_password()))
            self.stdout.flush()
            connection.close()

        if headless:
            extra = _headless(site, robots=robots, rounds=rounds, **options)
        else:
            extra = _watched(site, robots=robots, **options)
        sys.exit(run_site(site, extra=extra, prepare=prepare, on_ready=on_ready))


def _given(option: int | None, name: str, text: str | None) -> int | None:
    """The option, else the variable of this name; None when neither is set.

    Raises CommandError in one line, which argparse would bury under the usage of the command.
    """
    if option is not None or not text:
        return option
    if not text.isdecimal():
        raise CommandError(f"{name}={text} is not a whole number")
    return int(text)


def _watched(site: Site, *, robots: int | None, pace: float | None, **_: Any) -> list[ProcessSpec]:
    return [_robots(site, robots, PACE if pace is None else pace)] if robots else []


def _headless(
    site: Site,
    *,
    robots: int | None,
    rounds: int | None,
    pace: float | None,
    minutes: float | None,
    fresh: int | None,
    **_: Any,
) -> list[ProcessSpec]:
    """Robots and the storyteller. Its Rounds are those that end from now on."""
    visitors = HEADLESS_ROBOTS if robots is None else robots
    awaited = HEADLESS_ROUNDS if rounds is None else rounds
    teller = rounds_spec(
        site,
        rounds=awaited,
        since=timezone.now(),
        minutes=MINUTES_A_ROUND * awaited if minutes is None else minutes,
        fresh=fresh,
    )
    crowd = _robots(site, visitors, HEADLESS_PACE if pace is None else pace)
    return [crowd, teller] if visitors else [teller]


def _robots(site: Site, count: int, pace: float) -> ProcessSpec:
    # A new seed at every start: the visitors of two runs do not err alike.
    return robots_spec(
        site,
        project=SLUG,
        truth=truth_file(),
        count=count,
        pace=pace,
        seed=secrets.randbelow(2**32),
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _welcome(site: Site, password: str) -> str:
    return f"""
  LabelHub is ready.

    answer grids     {site.url}p/{SLUG}/
    dashboard        {site.url}dashboard/{SLUG}/
    admin            {site.url}admin/
    user             {ADMIN}
    password         {password}

  Ctrl-C stops everything.
"""
