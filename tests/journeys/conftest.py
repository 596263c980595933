"""A browser for the journeys: the Chromium that the machine has, without calls home."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Page

from labelhub.projects.models import Project
from tests.journeys.drawn import drawn_project

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
    """Chromium from $CHROMIUM or PATH; tests that need a browser are skipped without one."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on PATH; name one in $CHROMIUM")
    return {**browser_type_launch_args, "executable_path": chromium, "args": CHROMIUM_FLAGS}


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
