"""The grid in a real browser: mouse, keyboard, touch, no script, no network."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from labelhub.challenges.models import Challenge
from labelhub.projects.models import Project
from labelhub.votes.models import Vote
from tests.journeys.drawn import right_places

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
PHONE = {"width": 360, "height": 640}


def press_start(page: Page, live_server: LiveServer, project: Project) -> None:
    """From the project's page to the first grid, with the next one fetched."""
    page.goto(live_server.url + project.get_absolute_url())
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("checkbox", name="Square 9 of 9")).to_be_attached()
    page.wait_for_load_state("networkidle")


def shown(page: Page) -> Challenge:
    """The grid on the screen."""
    public_id = page.locator("[data-grid]").get_attribute("data-grid")
    return Challenge.objects.get(public_id=public_id)


def word(page: Page) -> Locator:
    return page.get_by_role("status")


def test_careful_ada_labels_with_the_mouse(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    press_start(page, live_server, project)
    first = shown(page)
    places = right_places(first)
    send = page.locator(".send")
    expect(send).to_have_text("None of these", use_inner_text=True)
    for place in places:
        page.locator(".tile").nth(place).click()
    label = f"Send {len(places)}" if places else "None of these"
    expect(send).to_have_text(label, use_inner_text=True)
    send.click()
    expect(page.locator(f"[data-grid='{first.public_id}']")).to_have_count(0)
    expect(word(page)).to_contain_text("known ones right")
    expect(word(page)).to_contain_text("Pictures this visit: 9")
    first.refresh_from_db()
    assert first.answer == places
    assert first.reply["right"] == first.reply["known"]
    assert Vote.objects.count() == 9


def test_each_further_grid_costs_one_request_and_one_picture(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    press_start(page, live_server, project)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    seen = []
    for _ in range(3):
        seen.append(shown(page).public_id)
        page.locator(".tile").first.click()
        page.locator(".send").click()
        expect(page.locator(f"[data-grid='{seen[-1]}']")).to_have_count(0)
        expect(word(page)).to_contain_text(f"Pictures this visit: {9 * len(seen)}")
        page.wait_for_load_state("networkidle")
    assert len(set(seen)) == 3
    of_grids = [url.rpartition("/")[2] for url in asked if "/grid/" in url]
    assert sorted(of_grids) == ["answer"] * 3 + ["sheet"] * 3


def test_every_square_shows_its_own_part_of_the_sheet(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    press_start(page, live_server, project)
    part = """window => {
        const [outer, inner] = [window, window.querySelector("img")]
            .map(element => element.getBoundingClientRect())
        const middle = [outer.x + outer.width / 2 - inner.x, outer.y + outer.height / 2 - inner.y]
        return [Math.floor(middle[1] / inner.height * 3), Math.floor(middle[0] / inner.width * 3)]
    }"""
    parts = [window.evaluate(part) for window in page.locator(".tile-window").all()]
    assert parts == [[row, column] for row in range(3) for column in range(3)]
    loaded = page.locator(".tile-picture").first.evaluate("picture => picture.naturalWidth")
    assert loaded == 3 * 32


def test_undo_clears_the_grid_and_skip_gives_another(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    press_start(page, live_server, project)
    first = shown(page)
    page.locator(".tile").nth(4).click()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".tile-box:checked")).to_have_count(0)
    expect(page.locator(".send")).to_have_text("None of these", use_inner_text=True)
    with page.expect_response("**/skip"):
        page.get_by_role("button", name="Skip").click()
    expect(page.locator(f"[data-grid='{first.public_id}']")).to_have_count(0)
    first.refresh_from_db()
    assert first.state == Challenge.State.SKIPPED
    assert not Vote.objects.exists()


def test_the_whole_way_with_the_keyboard(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    page.goto(live_server.url + project.get_absolute_url())
    page.get_by_role("button", name="Start").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("checkbox", name="Square 1 of 9")).to_be_attached()
    page.wait_for_load_state("networkidle")
    first = shown(page)
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("checkbox", name="Square 1 of 9")).to_be_focused()
    for key in ("ArrowDown", "ArrowRight", "Space", "9"):
        page.keyboard.press(key)
    expect(page.get_by_role("checkbox", name="Square 5 of 9")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(f"[data-grid='{first.public_id}']")).to_have_count(0)
    expect(page.get_by_role("checkbox", name="Square 1 of 9")).to_be_focused()
    expect(word(page)).to_contain_text("Pictures this visit")
    first.refresh_from_db()
    assert first.answer == [4, 8]


def test_the_focused_square_has_a_thick_ring(
    page: Page, live_server: LiveServer, project: Project
) -> None:
    press_start(page, live_server, project)
    page.keyboard.press("ArrowDown")
    ring = page.locator(".tile").first.evaluate("tile => getComputedStyle(tile).outlineWidth")
    assert float(ring.removesuffix("px")) >= 3


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_the_whole_way_without_a_script(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    press_start(page, live_server, project)
    first = shown(page)
    places = right_places(first)
    for place in places:
        page.locator(".tile").nth(place).click()
    page.locator(".send").click()
    expect(page.locator(f"[data-grid='{first.public_id}']")).to_have_count(0)
    expect(word(page)).to_contain_text("known ones right")
    first.refresh_from_db()
    assert first.answer == places
    page.get_by_role("button", name="Skip").click()
    expect(page.get_by_role("checkbox", name="Square 9 of 9")).to_be_attached()
    assert Challenge.objects.filter(state=Challenge.State.SKIPPED).count() == 1


@pytest.mark.parametrize("edge", [3, 4, 5])
@pytest.mark.browser_context_args(viewport=PHONE, has_touch=True, is_mobile=True)
def test_a_phone_shows_the_whole_grid_without_scrolling(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str], edge: int
) -> None:
    project.grid_edge = edge
    project.save(update_fields=["grid_edge"])
    page.goto(live_server.url + project.get_absolute_url())
    page.get_by_role("button", name="Start").tap()
    expect(page.locator(".tile")).to_have_count(edge * edge)
    page.wait_for_load_state()  # before its styles are there, a page has no sizes to speak of
    actions = (page.locator(name) for name in (".send", ".skip", ".report-open"))
    for part in (*page.locator(".tile").all(), *actions):
        box = part.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
        assert box["y"] + box["height"] <= PHONE["height"]
    assert page.evaluate("document.documentElement.scrollHeight") <= PHONE["height"]
    first = shown(page)
    page.locator(".tile").nth(1).tap()
    page.locator(".send").tap()
    expect(word(page)).to_contain_text("Pictures this visit")
    first.refresh_from_db()
    assert first.answer == [1]


def test_a_double_click_on_send_answers_one_grid(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    press_start(page, live_server, project)
    page.locator(".send").dblclick()
    expect(word(page)).to_contain_text("Pictures this visit: 9")
    assert shown(page).state == Challenge.State.OPEN
    assert (
        page.evaluate("Object.entries(sessionStorage).find(([k]) => /outbox/.test(k))[1]") == "[]"
    )
    assert Challenge.objects.filter(state=Challenge.State.ANSWERED).count() == 1


def test_a_lost_network_keeps_the_answer_and_sends_it_once(
    page: Page, live_server: LiveServer, project: Project
) -> None:
    press_start(page, live_server, project)
    first = shown(page)
    page.context.set_offline(True)
    page.locator(".tile").nth(2).click()
    page.locator(".send").click()
    expect(page.locator(f"[data-grid='{first.public_id}']")).to_have_count(0)
    expect(word(page)).to_contain_text("No connection. Answers kept on this page: 1.")
    assert not Vote.objects.exists()
    page.context.set_offline(False)
    expect(word(page)).to_contain_text("Pictures this visit: 9")
    first.refresh_from_db()
    assert first.answer == [2]
    assert Vote.objects.count() == 9


def test_a_reply_lost_on_its_way_back_does_not_count_the_answer_twice(
    page: Page, live_server: LiveServer, project: Project
) -> None:
    press_start(page, live_server, project)
    sent: list[str] = []

    def lose_the_first(route: object) -> None:
        sent.append(route.request.url)  # type: ignore[attr-defined]
        if len(sent) == 1:
            route.fetch()  # type: ignore[attr-defined]  the server has it
            route.abort()  # type: ignore[attr-defined]  the browser never hears of it
        else:
            route.continue_()  # type: ignore[attr-defined]

    page.route("**/answer", lose_the_first)
    page.locator(".tile").nth(2).click()
    page.locator(".send").click()
    expect(word(page)).to_contain_text("Pictures this visit: 9", timeout=10_000)
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert Vote.objects.count() == 9


def test_an_unsent_answer_survives_a_reload(
    page: Page, live_server: LiveServer, project: Project
) -> None:
    press_start(page, live_server, project)
    first = shown(page)
    page.route("**/answer", lambda route: route.abort())
    page.locator(".tile").nth(7).click()
    page.locator(".send").click()
    expect(word(page)).to_contain_text("Answers kept on this page: 1.")
    page.unroute("**/answer")
    page.reload()
    expect(word(page)).to_contain_text("Pictures this visit: 9")
    first.refresh_from_db()
    assert first.answer == [7]


def test_a_busy_server_keeps_the_answer_on_the_page(
    page: Page, live_server: LiveServer, project: Project
) -> None:
    press_start(page, live_server, project)
    page.route("**/answer", lambda route: route.fulfill(status=503, body="busy"))
    page.locator(".send").click()
    expect(word(page)).to_contain_text("The server is busy. Answers kept on this page: 1.")
    page.unroute("**/answer")
    expect(word(page)).to_contain_text("Pictures this visit: 9", timeout=10_000)


@pytest.mark.parametrize("body", ["<h1>Welcome to the hotel</h1>", '{"login": "here"}', "null"])
def test_a_login_page_in_between_keeps_the_answer_on_the_page(
    page: Page, live_server: LiveServer, project: Project, body: str
) -> None:
    press_start(page, live_server, project)
    first = shown(page)
    page.route(
        "**/answer", lambda route: route.fulfill(status=200, content_type="text/html", body=body)
    )
    page.locator(".tile").nth(4).click()
    page.locator(".send").click()
    expect(word(page)).to_contain_text("No connection. Answers kept on this page: 1.")
    page.unroute("**/answer")
    expect(word(page)).to_contain_text("Pictures this visit: 9", timeout=10_000)
    first.refresh_from_db()
    assert first.answer == [4]


def test_a_grid_whose_time_is_over_says_so_and_a_fresh_one_comes(
    page: Page, live_server: LiveServer, project: Project
) -> None:
    press_start(page, live_server, project)
    old = set(Challenge.objects.values_list("public_id", flat=True))
    Challenge.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    page.locator(".tile").nth(0).click()
    page.locator(".send").click()
    expect(word(page)).to_contain_text("This question's time is over.")
    for public_id in old:
        expect(page.locator(f"[data-grid='{public_id}']")).to_have_count(0)
    expect(page.locator("[data-grid]")).to_have_count(1)
    assert not Vote.objects.exists()


def test_a_grid_answered_differently_in_another_tab_says_so(
    page: Page, live_server: LiveServer, project: Project
) -> None:
    press_start(page, live_server, project)
    first = shown(page)
    other = page.context.new_page()
    other.goto(page.url)
    other.locator(".send").click()
    expect(word(other)).to_contain_text("Pictures this visit")
    page.locator(".tile").nth(3).click()
    page.locator(".send").click()
    expect(word(page)).to_contain_text("This question was closed before.")
    first.refresh_from_db()
    assert first.answer == []


def test_when_nothing_is_left_the_page_says_so_and_the_last_answer_counts(
    page: Page, live_server: LiveServer, project: Project
) -> None:
    press_start(page, live_server, project)
    ready = set(Challenge.objects.values_list("public_id", flat=True))
    project.candidates.all().delete()
    for squares in (9, 18):
        page.locator(".tile").nth(0).click()
        page.locator(".send").click()
        expect(word(page)).to_contain_text(f"Pictures this visit: {squares}")
    expect(page.get_by_role("heading", name="Nothing to ask at the moment")).to_be_visible()
    answered = Challenge.objects.filter(state=Challenge.State.ANSWERED)
    assert set(answered.values_list("public_id", flat=True)) == ready


def test_signing_in_elsewhere_asks_for_a_reload_and_keeps_the_answer(
    page: Page, live_server: LiveServer, project: Project
) -> None:
    press_start(page, live_server, project)
    page.route(
        "**/answer",
        lambda route: route.fulfill(status=403, content_type="text/html", body="<h1>Old</h1>"),
    )
    page.locator(".tile").nth(0).click()
    page.locator(".send").click()
    expect(word(page)).to_contain_text("This page is too old to send. Your answer is kept")
    page.unroute("**/answer")
    page.reload()
    expect(word(page)).to_contain_text("Pictures this visit: 9")


def test_nothing_moves_for_people_who_asked_for_that(
    browser: Browser, live_server: LiveServer, project: Project
) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    press_start(page, live_server, project)
    page.locator(".tile").nth(0).click()
    assert page.evaluate("document.getAnimations().length") == 0
    page.locator(".send").click()
    assert page.evaluate("document.getAnimations().length") == 0
    expect(word(page)).to_contain_text("Pictures this visit")
    context.close()


def test_names_full_of_markup_stay_text_in_the_browser(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    payload = "<img src=x onerror=alert(1)>"
    Project.objects.update(name=payload, catalogue_version=99)
    project.label_classes.update(name=payload, question=f"Select {payload}")
    press_start(page, live_server, project)
    page.locator(".tile").nth(0).click()
    page.locator(".send").click()
    expect(word(page)).to_contain_text("Pictures this visit")
    expect(page.locator("h1 b")).to_have_text(payload)
    expect(page).to_have_title(re.compile(re.escape(payload)))
