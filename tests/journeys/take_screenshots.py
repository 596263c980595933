"""Take the screenshots of docs/screenshots/ anew.

    python -m tests.journeys.take_screenshots [FOLDER]

Serves drawn projects from a throw-away database and visits them with the machine's Chromium. The
project of the dashboard has real Rounds behind it, which takes ten minutes.
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
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.staticfiles.handlers import StaticFilesHandler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.testcases import LiveServerThread  # noqa: E402
from django.utils import timezone  # noqa: E402
from PIL import Image as Pillow  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from labelhub.challenges.models import Challenge  # noqa: E402
from labelhub.dashboard.image_selectors import images_in_doubt  # noqa: E402
from labelhub.projects.models import Project  # noqa: E402
from labelhub.rounds.selectors import serving_version  # noqa: E402
from tests.challenges.given import best_as_choices  # noqa: E402
from tests.journeys.chromium import installed_browser  # noqa: E402
from tests.journeys.conftest import CHROMIUM_FLAGS  # noqa: E402
from tests.journeys.drawn import drawn_project, right_places  # noqa: E402
from tests.journeys.lived import lived_project, round_in_training  # noqa: E402

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 640}
SHOTS = (
    ("landing", DESKTOP, "light"),
    ("grid-desktop", DESKTOP, "light"),
    ("grid-phone", PHONE, "light"),
    ("grid-dark", DESKTOP, "dark"),
)
CHOICE_SHOTS = (
    ("choice-desktop", DESKTOP, "light"),
    ("choice-phone", PHONE, "light"),
)
Shots = tuple[tuple[str, dict[str, int], str], ...]
TALL = {"width": 1280, "height": 1060}
HAND = {"width": 390, "height": 844}
DASHBOARD_SHOTS = (
    ("dashboard-cockpit", TALL, "light", ""),
    ("dashboard-dark", TALL, "dark", ""),
    ("dashboard-phone", HAND, "light", ""),
    ("dashboard-doubt", DESKTOP, "light", "#doubt"),
    ("dashboard-picture", DESKTOP, "light", "images/{doubtful}/"),
)


def start(page: Page) -> None:
    """Press Start on a project's page."""
    page.get_by_role("button", name="Start").click()
    page.wait_for_load_state("networkidle")


def select(page: Page) -> None:
    """Select in a grid what careful Ada would."""
    public_id = page.locator("[data-grid]").get_attribute("data-grid")
    for place in right_places(Challenge.objects.get(public_id=public_id)):
        page.locator(".tile").nth(place).click()
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)  # the tiles have shrunk


def save(page: Page, path: Path) -> None:
    """A screenshot of 256 colours, dithered: noisy tiles pack badly, and it is read at a glance."""
    picture = Pillow.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(256, kmeans=3).save(path, optimize=True)


def take(browser: Browser, address: str, folder: Path, shots: Shots) -> None:
    """Each picture in a browser context of its own: another visitor."""
    for name, viewport, scheme in shots:
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        page = context.new_page()
        page.goto(address, wait_until="networkidle")
        if name != "landing":
            start(page)
        if name.startswith("grid"):
            select(page)
        save(page, folder / f"{name}.png")
        context.close()


def take_dashboard(browser: Browser, site: str, project: Project, folder: Path) -> None:
    """Each picture as Ada sees it, who is signed in."""
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    session = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}
    doubts = images_in_doubt(project=project, serving=serving_version(project=project), most=1)
    for name, viewport, scheme, rest in DASHBOARD_SHOTS:
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        context.add_cookies([session])
        page = context.new_page()
        place = rest.format(doubtful=doubts[0].image_id)
        page.goto(f"{site}/dashboard/{project.slug}/{place}", wait_until="load")
        page.wait_for_timeout(500)  # lazy pictures have come
        if name.endswith("doubt"):
            save(page, folder / f"{name}.png")
        else:  # flat colours pack well, and classes keep theirs
            page.screenshot(path=folder / f"{name}.png")
        context.close()


def main(folder: Path) -> None:
    """Serve, visit, save."""
    folder.mkdir(parents=True, exist_ok=True)
    call_command("migrate", verbosity=0)
    project = drawn_project(images=400)
    choices = best_as_choices(
        drawn_project(name="Shapes, one by one", images=60, asks_choices=True)
    )
    lived = lived_project(now=timezone.now())
    round_in_training(lived, now=timezone.now())
    server = LiveServerThread("localhost", StaticFilesHandler)
    server.daemon = True
    server.start()
    server.is_ready.wait()
    if server.error:
        raise server.error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=installed_browser(),
            args=CHROMIUM_FLAGS,
        )
        site = f"http://localhost:{server.port}"
        take(browser, f"{site}{project.get_absolute_url()}", folder, SHOTS)
        take(browser, f"{site}{choices.get_absolute_url()}", folder, CHOICE_SHOTS)
        take_dashboard(browser, site, lived, folder)
        browser.close()
    server.terminate()
    shutil.rmtree(settings.DATA_DIR, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/screenshots"))
