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

from labelhub.challenges.models import Challenge  # noqa: E402
from tests.journeys.conftest import CHROMIUM_FLAGS  # noqa: E402
from tests.journeys.drawn import drawn_project, right_places  # noqa: E402

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 640}
SHOTS = (
    ("landing", DESKTOP, "light"),
    ("grid-desktop", DESKTOP, "light"),
    ("grid-phone", PHONE, "light"),
    ("grid-dark", DESKTOP, "dark"),
)


def start_grid(page: Page) -> None:
    """Press Start on a project's page and select what careful Ada would."""
    page.get_by_role("button", name="Start").click()
    page.wait_for_load_state("networkidle")
    public_id = page.locator("[data-grid]").get_attribute("data-grid")
    for place in right_places(Challenge.objects.get(public_id=public_id)):
        page.locator(".tile").nth(place).click()
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)  # the tiles have shrunk


def save(page: Page, path: Path) -> None:
    """A screenshot of 256 colours, dithered: noisy tiles pack badly, and it is read at a glance."""
    picture = Pillow.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(256, kmeans=3).save(path, optimize=True)


def take(browser: Browser, address: str, folder: Path) -> None:
    """Each picture in a browser context of its own: another visitor."""
    for name, viewport, scheme in SHOTS:
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        page = context.new_page()
        page.goto(address, wait_until="networkidle")
        if name.startswith("grid"):
            start_grid(page)
        save(page, folder / f"{name}.png")
        context.close()


def main(folder: Path) -> None:
    """Serve, visit, save."""
    folder.mkdir(parents=True, exist_ok=True)
    call_command("migrate", verbosity=0)
    project = drawn_project(images=400)
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
        take(browser, f"http://localhost:{server.port}{project.get_absolute_url()}", folder)
        browser.close()
    server.terminate()
    shutil.rmtree(settings.DATA_DIR, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/screenshots"))
