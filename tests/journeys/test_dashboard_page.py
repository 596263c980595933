"""The cockpit in a real browser: it refreshes in place, draws its plot, works by keyboard, on a
phone and without a script."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from labelhub.challenges.reporting import Reported
from labelhub.challenges.services import issue_challenge, submit_answer
from labelhub.projects.models import Gold, Image, Project
from labelhub.projects.services import create_project
from labelhub.rounds.models import Round
from labelhub.rounds.progress import count_progress
from labelhub.votes.models import Vote
from labelhub.votes.services import NewVote, record_votes
from tests.dashboard.given import past_round, past_rounds, predict, running_round
from tests.factories import dice, visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
PHONE = {"width": 390, "height": 844}


def sign_in(context: BrowserContext, live_server: LiveServer) -> None:
    """Ada's session in the browser, without the way through the login."""
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    cookie = client.cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])


def cockpit(live_server: LiveServer, project: Project) -> str:
    return f"{live_server.url}/dashboard/{project.slug}/"


@pytest.fixture
def busy(project: Project) -> Project:
    """A project with some past, pictures in doubt, and a Round in its training."""
    past_rounds(project, [0.62, 0.84])
    past_round(project, accuracy=0.8, promoted=False)
    predict(past_round(project, accuracy=0.91), list(project.images.filter(example=None)))
    count_progress(now=timezone.now())
    running_round(project, fraction=0.25, at=timezone.now())
    return project


def test_a_running_round_moves_in_place_and_its_end_is_told(
    page: Page, live_server: LiveServer, busy: Project, complaints: list[str]
) -> None:
    sign_in(page.context, live_server)
    page.goto(cockpit(live_server, busy))
    page.evaluate("window.same = true")
    bar = page.locator("#stage-training")
    expect(bar).to_have_attribute("width", "25.0%")
    expect(page.get_by_role("heading", name="91 % after Round 4, 29 points")).to_be_visible()
    opened = Round.objects.get(state=Round.State.TRAINING)
    opened.progress["fraction"] = 0.75
    opened.save(update_fields=["progress"])
    expect(bar).to_have_attribute("width", "75.0%")
    past_round(busy, accuracy=0.95)
    Round.objects.filter(pk=opened.pk).update(
        state=Round.State.DONE,
        outcome=Round.Outcome.REFUSED,
        reason="hardly better than guessing",
        finished_at=timezone.now(),
    )
    # The panel, the answers and the plot's title: all without a new page.
    expect(page.get_by_role("heading", name="95 % after Round 6, 33 points")).to_be_visible()
    expect(page.locator("#answers")).to_contain_text("95 %")
    expect(page.locator("#accuracy canvas")).to_have_count(1)
    assert page.evaluate("window.same")


def test_the_plot_is_drawn_in_our_colours_and_again_in_the_dark(
    page: Page, live_server: LiveServer, busy: Project, complaints: list[str]
) -> None:
    sign_in(page.context, live_server)
    page.goto(cockpit(live_server, busy))
    expect(page.locator("#accuracy canvas")).to_be_visible()
    coloured = """([red, green, blue]) => {
        const drawn = document.querySelector("#accuracy canvas")
        const { width, height } = drawn
        const often = { willReadFrequently: true }
        const copy = new OffscreenCanvas(width, height).getContext("2d", often)
        copy.drawImage(drawn, 0, 0)
        const pixels = copy.getImageData(0, 0, width, height).data
        let found = 0
        for (let at = 0; at < pixels.length; at += 4)
            found += pixels[at] === red && pixels[at + 1] === green && pixels[at + 2] === blue
        return found
    }"""
    light, dark, cross = [0x4A, 0x3F, 0xD1], [0xA2, 0x9B, 0xFF], [0x8A, 0x53, 0x00]
    assert page.evaluate(coloured, light) > 100  # the line and its dots
    assert page.evaluate(coloured, cross) > 5  # the refused Round
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"colour => ({coloured})(colour) === 0", arg=light)
    assert page.evaluate(coloured, dark) > 100
    page.set_viewport_size(PHONE)
    width = "document.querySelector('#accuracy canvas').clientWidth"
    page.wait_for_function(f"most => {width} < most", arg=PHONE["width"])


def test_ada_marks_a_picture_in_doubt_by_keyboard_alone(
    page: Page, live_server: LiveServer, busy: Project, complaints: list[str]
) -> None:
    sign_in(page.context, live_server)
    page.goto(cockpit(live_server, busy))
    ring = "getComputedStyle(document.activeElement).outlineStyle"
    page.locator("#balance-title").locator("..").locator(".table-frame").focus()
    focused = "document.activeElement"
    for _ in range(3):  # past the links that lead on from the class balance
        page.keyboard.press("Tab")
        if page.evaluate(f"{focused}.className") == "thumb":
            break
    assert page.evaluate(f"{focused}.matches('#doubt .thumb')")
    assert page.evaluate(ring) == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Mark as Gold")).to_be_visible()
    page.locator("[name=label_class]").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Marked as Gold: cross.", exact=True)).to_be_visible()
    assert Gold.objects.filter(source=Gold.Source.ADMIN).count() == 1


def test_ada_decides_on_a_reported_picture_by_keyboard_alone(
    page: Page, live_server: LiveServer, busy: Project, complaints: list[str]
) -> None:
    person = visitor(busy)
    challenge = issue_challenge(annotator=person, now=timezone.now(), generator=dice())
    submit_answer(
        annotator=person,
        public_id=challenge.public_id,
        selected=[],
        reported=Reported((4,), "broken"),
        now=timezone.now(),
    )
    image = challenge.tiles.get(place=4).image
    sign_in(page.context, live_server)
    page.goto(cockpit(live_server, busy))
    page.get_by_role("link", name="Reported pictures").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 × broken or blank")).to_be_visible()
    page.locator(".decision-card .thumb").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name=f"Exclude {image.name}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("No reported picture waits for you")).to_be_visible()
    image.refresh_from_db()
    assert image.status == Image.Status.EXCLUDED
    page.get_by_role("button", name=f"Take back in {image.name}").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Excluded pictures")).to_have_count(0)
    image.refresh_from_db()
    assert image.status == Image.Status.ACTIVE


@pytest.fixture
def disputed(busy: Project) -> Project:
    """Three pictures that eight people cannot agree on."""
    images = busy.images.filter(gold=None, example=None).order_by("pk")[:3]
    classes = list(busy.label_classes.order_by("position")[:2])
    for place in range(8):
        votes = [
            NewVote(image.pk, classes[place % 2].pk, True, Vote.Kind.CHOICE) for image in images
        ]
        record_votes(
            project=busy, annotator=visitor(busy), votes=votes, challenge="c", now=timezone.now()
        )
    count_progress(now=timezone.now())
    return busy


def test_ada_decides_on_contested_pictures_by_keyboard_alone_and_undoes_it(
    page: Page, live_server: LiveServer, disputed: Project, complaints: list[str]
) -> None:
    sign_in(page.context, live_server)
    page.goto(cockpit(live_server, disputed))
    page.get_by_role("link", name="Contested pictures").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="3 contested pictures wait for you")).to_be_visible()
    page.evaluate("window.same = true")
    first, second, third = page.locator(".contested").all()
    expect(page.locator("#keys")).to_be_visible()  # by the script, which hears keys from then on
    page.keyboard.press("ArrowRight")  # to the first picture
    page.keyboard.press("1")
    expect(first).to_have_class(re.compile("contested-done"))
    expect(second.locator("button").first).to_be_focused()
    page.keyboard.press("x")
    expect(second).to_contain_text("Excluded")
    expect(third.locator("button").first).to_be_focused()
    expect(page.locator("#told")).to_contain_text("Excluded")
    expect(page.get_by_role("heading", name="1 contested picture waits for you")).to_be_visible()
    page.keyboard.press("u")  # the last one
    expect(second.locator("button").first).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("u")
    expect(first.locator(".verdict").first).to_be_focused()
    expect(page.get_by_role("heading", name="3 contested pictures wait for you")).to_be_visible()
    assert page.evaluate("window.same")
    assert not Gold.objects.filter(source=Gold.Source.ADMIN).exists()
    assert not disputed.images.filter(status=Image.Status.EXCLUDED).exists()


@pytest.mark.browser_context_args(viewport=PHONE, has_touch=True, is_mobile=True)
def test_a_phone_shows_a_contested_picture_beside_all_that_it_may_be(
    page: Page, live_server: LiveServer, disputed: Project, complaints: list[str]
) -> None:
    sign_in(page.context, live_server)
    page.goto(f"{cockpit(live_server, disputed)}contested/")
    for card in page.locator(".contested").all():
        picture, whole = card.locator("img").bounding_box(), card.bounding_box()
        assert picture is not None
        assert whole is not None
        assert picture["width"] >= 112
        assert whole["height"] < PHONE["height"] / 2  # two fit, whatever is scrolled to
        for verdict in card.locator(".verdict").all():
            box = verdict.bounding_box()
            assert box is not None
            assert box["x"] > picture["x"] + picture["width"]
            assert box["height"] >= 44
    card = page.locator(".contested").first
    card.locator(".verdict").first.tap()
    expect(card).to_contain_text("Gold: ")
    card.get_by_role("button", name="Undo").tap()
    expect(card.locator(".verdict").first).to_be_visible()


def test_a_decision_that_the_server_did_not_take_is_said(
    page: Page, live_server: LiveServer, disputed: Project
) -> None:
    sign_in(page.context, live_server)
    page.goto(f"{cockpit(live_server, disputed)}contested/")
    page.context.set_offline(True)
    page.locator(".verdict").first.click()
    expect(page.get_by_text("The server did not take that. Nothing was decided")).to_be_visible()
    page.context.set_offline(False)
    page.locator(".verdict").first.click()
    expect(page.locator(".contested-done")).to_have_count(1)
    expect(page.get_by_text("The server did not take that.")).to_be_hidden()


def test_nothing_is_wider_than_a_phone(
    page: Page, live_server: LiveServer, disputed: Project, complaints: list[str]
) -> None:
    sign_in(page.context, live_server)
    page.set_viewport_size(PHONE)
    image = disputed.images.filter(gold=None, example=None)[0]
    own = ("", "reports/", "contested/", f"images/{image.pk}/", "rollback/")
    for rest in ("", *(f"shapes/{name}" for name in own)):
        page.goto(f"{live_server.url}/dashboard/{rest}")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_commands_of_an_empty_project_scroll_in_themselves_on_a_phone(
    page: Page, live_server: LiveServer, transactional_db: None, complaints: list[str]
) -> None:
    empty = create_project(name="Crossings of the old town", class_names=["a bus", "a tram"])
    sign_in(page.context, live_server)
    page.set_viewport_size(PHONE)
    for address in (cockpit(live_server, empty), f"{live_server.url}/"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.goto(cockpit(live_server, empty))
    command = page.locator("pre.command")
    assert command.evaluate("block => block.scrollWidth > block.clientWidth")
    mark = page.locator(".brand svg").bounding_box()
    assert mark is not None
    assert mark["width"] == 24


def test_the_cockpit_works_without_a_script(
    browser: Browser, live_server: LiveServer, busy: Project
) -> None:
    context = browser.new_context(java_script_enabled=False)
    sign_in(context, live_server)
    page = context.new_page()
    page.goto(cockpit(live_server, busy))
    expect(page.get_by_role("link", name="Reload to see how far it is")).to_be_visible()
    expect(page.locator("#rounds-table tbody tr")).to_have_count(4)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused. What was answered so far is kept.")).to_be_visible()
    page.get_by_role("link", name="Roll back").click()
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("Version 2 serves again, not 4.")).to_be_visible()
    context.close()


def test_contested_pictures_are_decided_on_without_a_script(
    browser: Browser, live_server: LiveServer, disputed: Project
) -> None:
    context = browser.new_context(java_script_enabled=False)
    sign_in(context, live_server)
    page = context.new_page()
    page.goto(f"{cockpit(live_server, disputed)}contested/")
    page.get_by_role("button", name="Exclude").first.click()
    expect(page.get_by_role("heading", name="2 contested pictures wait for you")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="3 contested pictures wait for you")).to_be_visible()
    expect(page.get_by_text("By keyboard")).to_be_hidden()
    context.close()


def test_a_silent_server_is_said_and_forgotten_when_it_speaks(
    page: Page, live_server: LiveServer, busy: Project
) -> None:
    sign_in(page.context, live_server)
    page.goto(cockpit(live_server, busy))
    page.context.set_offline(True)
    expect(page.get_by_text("The server does not answer.")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("The server does not answer.")).to_be_hidden()
