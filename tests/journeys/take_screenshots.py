"""Take the screenshots of docs/screenshots/ anew.

    python -m tests.journeys.take_screenshots [FOLDER]

Serves a drawn project from a throw-away database and visits it with the machine's Chromium.
"""

import io
import os
import shutil
import sys
from pathlib import Path

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.staticfiles.handlers import StaticFilesHandler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test.testcases import LiveServerThread  # noqa: E402
from PIL import Image as Pillow  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from labelhub.projects.models import Project  # noqa: E402
from tests.journeys.conftest import CHROMIUM_FLAGS  # noqa: E402
from tests.journeys.drawn import drawn_project  # noqa: E402

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 640}


def start_grid(page: Page, address: str, picks: tuple[int, ...]) -> None:
    """Press Start on a project's page and select some squares."""
    page.goto(address)
    page.get_by_role("button", name="Start").click()
    page.wait_for_load_state("networkidle")
    for place in picks:
        page.locator(".tile").nth(place).click()
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)  # the tile has shrunk


def save(page: Page, path: Path) -> None:
    """A screenshot, packed as small as PNG goes."""
    Pillow.open(io.BytesIO(page.screenshot())).convert("RGB").save(path, optimize=True)


def take(browser: Browser, server: str, folder: Path) -> None:
    """Each picture in a browser context of its own: another visitor."""
    small = f"{server}{Project.objects.get(slug='shapes').get_absolute_url()}"
    large = f"{server}{Project.objects.get(slug='many-shapes').get_absolute_url()}"
    shots = [
        ("grid-desktop", small, DESKTOP, "light", (1, 4)),
        ("grid-phone", small, PHONE, "light", (0, 5, 7)),
        ("grid-dark", small, DESKTOP, "dark", (2, 3)),
        ("grid-4x4-phone", large, PHONE, "dark", (5,)),
        ("grid-4x4", large, DESKTOP, "light", ()),
    ]
    for name, address, viewport, scheme, picks in shots:
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        page = context.new_page()
        start_grid(page, address, picks)
        save(page, folder / f"{name}.png")
        context.close()
    pages = [
        ("landing", small, DESKTOP, "light"),
        ("landing-phone", small, PHONE, "dark"),
        ("home", server, DESKTOP, "light"),
        ("login", f"{server}/login/", PHONE, "light"),
        ("not-found", f"{server}/p/shapes/grid/unknown/", DESKTOP, "light"),
    ]
    for name, address, viewport, scheme in pages:
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        page = context.new_page()
        page.goto(address, wait_until="networkidle")
        save(page, folder / f"{name}.png")
        context.close()


def main(folder: Path) -> None:
    """Serve, visit, save."""
    folder.mkdir(parents=True, exist_ok=True)
    call_command("migrate", verbosity=0)
    drawn_project(images=400)
    drawn_project(name="Many shapes", images=401, grid_edge=4)
    server = LiveServerThread("localhost", StaticFilesHandler)
    server.daemon = True
    server.start()
    server.is_ready.wait()
    if server.error:
        raise server.error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"),
            args=CHROMIUM_FLAGS,
        )
        take(browser, f"http://localhost:{server.port}", folder)
        browser.close()
    server.terminate()
    shutil.rmtree(settings.DATA_DIR, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/screenshots"))
