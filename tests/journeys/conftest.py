"""A browser for the journeys: the Chromium that the machine has, without calls home."""

import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Page
from pytest_django.plugin import DjangoDbBlocker

from labelhub.benchmarks.postgres import database_of_its_own
from labelhub.projects.models import Project
from labelhub.supervision.ownership import processes_of
from tests.journeys.chromium import installed_browser
from tests.journeys.drawn import drawn_project
from tests.journeys.real_site import RealSite, rows_of
from tests.supervision.conftest import Run, free_port

CHROMIUM_FLAGS = [
    "--no-sandbox",  # tests may run as root in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The machine's browser, or the one that playwright fetched for itself."""
    installed = installed_browser()
    found = {"executable_path": str(installed)} if installed else {}
    return {**browser_type_launch_args, **found, "args": CHROMIUM_FLAGS}


@pytest.fixture(scope="session")
def base_url() -> None:
    """Each journey has a server of its own; the plugin's own fixture is of a deprecated kind."""


@pytest.fixture(scope="session", autouse=True)
def _django_beside_playwright() -> None:
    """Playwright's sync calls run inside an event loop, which Django would refuse to work in.

    The loop stays until the session ends, and so does the leave.
    """
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture
def project(transactional_db: None) -> Project:
    """Shapes that are really drawn and stored."""
    return drawn_project()


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """What the browser's console objected to; nothing may be left in it at the end."""
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            said.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield said
    assert said == []


@pytest.fixture(scope="module")
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of an empty database of the kind that the test is parametrised with."""
    if request.param == "postgres":
        with database_of_its_own(request.getfixturevalue("postgres")) as url:
            yield url
    else:
        yield f"sqlite:///{tmp_path_factory.mktemp('rows')}/db.sqlite3"


@pytest.fixture(scope="module")
def running_site(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSite]:
    """The whole site as ``make run`` starts it, stopped by Ctrl-C; nothing of it is left."""
    data_dir, port = tmp_path_factory.mktemp("site") / "data", free_port()
    command = [sys.executable, "manage.py", "supervise", "--port", str(port)]
    run = Run(command, data_dir=data_dir, env={"DATABASE_URL": database})
    try:
        run.wait_for("ready: http", seconds=90)
        yield RealSite(run, port)
        assert run.end(signal.SIGINT) == 0
        assert run.pids() == processes_of(data_dir) == []
    finally:
        run.clear()


@pytest.fixture
def site(
    running_site: RealSite, database: str, django_db_blocker: DjangoDbBlocker
) -> Iterator[RealSite]:
    """The running site with its rows in sight. Its last words are shown when the test fails."""
    with django_db_blocker.unblock(), rows_of(database):
        yield running_site
    print(running_site.last_words())
