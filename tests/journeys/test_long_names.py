"""Names without a place to break a line, as long as they may be, on a phone."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from labelhub.projects.models import Project
from labelhub.rounds.models import Candidate
from labelhub.rounds.progress import count_progress
from tests.dashboard.given import past_round, predict
from tests.journeys.drawn import drawn_project

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
PHONE = {"width": 360, "height": 640}
LONGEST = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"[:80]


@pytest.fixture
def long_named(transactional_db: None) -> Project:
    """A project whose own name and whose classes' are as long as their columns take."""
    project = drawn_project(asks_choices=True)
    predict(past_round(project, accuracy=0.9), list(project.images.filter(example=None)))
    count_progress(now=timezone.now())
    for row in project.label_classes.filter(is_none=False):
        row.name = f"{row.position}{LONGEST}"[:80]
        row.save()
    Project.objects.update(name=(LONGEST * 2)[:120], catalogue_version=99)
    return project


def assert_fits(page: Page) -> None:
    page.wait_for_load_state()  # with its styles
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], page.url


def test_the_longest_names_make_no_page_wider_than_a_phone(
    page: Page, live_server: LiveServer, long_named: Project, complaints: list[str]
) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    cookie = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    page.set_viewport_size(PHONE)
    image = long_named.images.filter(gold=None, example=None)[0]
    own = ("", "reports/", "contested/", f"images/{image.pk}/", "rollback/")
    dashboard = [f"/dashboard/{long_named.slug}/{rest}" for rest in own]
    for address in ("/", "/dashboard/", long_named.get_absolute_url(), *dashboard):
        page.goto(live_server.url + address)
        assert_fits(page)


@pytest.mark.parametrize(("form", "card"), [("grid", ".grid-card"), ("choice", ".choice-card")])
def test_the_longest_names_make_no_question_wider_than_a_phone(
    page: Page, live_server: LiveServer, long_named: Project, form: str, card: str
) -> None:
    Candidate.objects.update(form=form)
    page.set_viewport_size(PHONE)
    page.goto(live_server.url + long_named.get_absolute_url())
    page.get_by_role("button", name="Start").click()
    expect(page.locator(card)).to_be_visible()
    assert_fits(page)
