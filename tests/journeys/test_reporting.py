"""Reporting bad pictures in a real browser: mouse, keyboard, touch, no script, a lost network."""

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from labelhub.challenges.models import Challenge, Report
from labelhub.projects.models import Project
from labelhub.votes.models import Vote
from tests.journeys.test_grid_page import PHONE, press_start, shown, word

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def reports() -> list[tuple[int, str]]:
    return list(Report.objects.order_by("tile__place").values_list("tile__place", "reason"))


def gone(page: Page, challenge: Challenge) -> None:
    """The grid was sent, and the next one is there."""
    expect(page.locator(f"[data-grid='{challenge.public_id}']")).to_have_count(0)
    expect(page.locator("[data-grid]")).to_have_count(1)


def test_careful_ada_reports_a_picture_with_the_mouse(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    press_start(page, live_server, project)
    first = shown(page)
    page.locator(".tile").nth(0).click()
    page.locator(".tile").nth(1).click()
    page.get_by_text("Report a picture").click()
    expect(page.get_by_text("Pick every square with a bad picture")).to_be_visible()
    expect(page.locator(".send")).to_be_hidden()
    page.locator(".tile").nth(1).click()
    page.locator(".tile").nth(4).click()
    page.locator(".tile").nth(5).click()
    page.get_by_label("What is wrong?").select_option("not fit to be shown")
    page.get_by_text("Done").click()
    # The question again: a reported square is out of it, and a click takes its report back.
    expect(page.locator(".send")).to_have_text("Send 1", use_inner_text=True)
    page.locator(".tile").nth(5).click()
    page.locator(".tile").nth(8).click()
    expect(page.locator(".send")).to_have_text("Send 2", use_inner_text=True)
    page.locator(".send").click()
    gone(page, first)
    expect(word(page)).to_contain_text("2 pictures reported.")
    expect(word(page)).to_contain_text("Pictures this visit: 7")
    first.refresh_from_db()
    assert first.answer == [0, 8]
    assert reports() == [(1, "unfit"), (4, "unfit")]
    assert Vote.objects.count() == 7


def test_a_picture_is_reported_with_the_keyboard_alone(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    press_start(page, live_server, project)
    first = shown(page)
    for key in ("9", "Tab", "Tab", "Tab", "Tab"):  # Send, Undo, Skip, Report
        if key == "Tab" and page.evaluate("document.activeElement === document.body"):
            page.locator(".tile-box").nth(8).focus()
        page.keyboard.press(key)
    expect(page.locator(".report-open")).to_be_focused()
    page.keyboard.press("Enter")  # opens; sends nothing
    page.keyboard.press("Tab")
    expect(page.get_by_label("What is wrong?")).to_be_focused()
    page.keyboard.press("ArrowDown")  # the next reason, and not the next square
    expect(page.get_by_label("What is wrong?")).to_have_value("unfit")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("checkbox", name="Report picture 1 of 9")).to_be_focused()
    for key in ("ArrowDown", "Space", "2"):
        page.keyboard.press(key)
    expect(page.get_by_role("checkbox", name="Report picture 4 of 9")).to_be_checked()
    expect(page.get_by_role("checkbox", name="Report picture 2 of 9")).to_be_checked()
    page.keyboard.press("Enter")  # done; sends nothing
    expect(page.locator(".send")).to_be_visible()
    assert shown(page) == first
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("checkbox", name="Square 7 of 9")).to_be_focused()
    page.keyboard.press("Enter")
    gone(page, first)
    expect(word(page)).to_contain_text("2 pictures reported.")
    first.refresh_from_db()
    assert first.answer == [8]
    assert reports() == [(1, "unfit"), (3, "unfit")]


def test_escape_leads_back_to_the_question_and_undo_clears_the_reports(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    press_start(page, live_server, project)
    page.locator(".report-open").click()
    page.locator(".tile").nth(3).click()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Pick every square")).to_be_hidden()
    expect(page.get_by_role("checkbox", name="Report picture 4 of 9")).to_be_focused()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".report-box:checked")).to_have_count(0)
    page.locator(".send").click()
    expect(word(page)).to_contain_text("Pictures this visit: 9")
    assert reports() == []


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_a_picture_is_reported_without_a_script(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    press_start(page, live_server, project)
    first = shown(page)
    page.locator(".report-open").click()
    page.locator(".tile").nth(6).click()
    page.get_by_label("What is wrong?").select_option("impossible to judge")
    page.locator(".report-open").click()
    page.locator(".tile").nth(2).click()
    page.locator(".send").click()
    gone(page, first)
    expect(word(page)).to_contain_text("1 picture reported.")
    first.refresh_from_db()
    assert first.answer == [2]
    assert reports() == [(6, "unclear")]


@pytest.mark.browser_context_args(viewport=PHONE, has_touch=True, is_mobile=True)
def test_a_phone_shows_the_whole_grid_while_pictures_are_reported(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    press_start(page, live_server, project)
    first = shown(page)
    before = page.locator(".tile").nth(8).bounding_box()
    page.locator(".report-open").tap()
    assert page.locator(".tile").nth(8).bounding_box() == before  # nothing jumps under the thumb
    for part in (page.locator(".report-open"), page.locator(".report-reason")):
        box = part.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
        assert box["x"] + box["width"] <= PHONE["width"]
    assert page.evaluate("document.documentElement.scrollHeight") <= PHONE["height"]
    page.locator(".tile").nth(8).tap()
    page.locator(".report-open").tap()
    page.locator(".send").tap()
    gone(page, first)
    expect(word(page)).to_contain_text("1 picture reported.")
    assert reports() == [(8, "broken")]


def test_a_report_on_a_lost_network_is_kept_with_its_answer_and_sent_once(
    page: Page, live_server: LiveServer, project: Project
) -> None:
    press_start(page, live_server, project)
    first = shown(page)
    page.context.set_offline(True)
    page.locator(".report-open").click()
    page.locator(".tile").nth(2).click()
    page.locator(".report-open").click()
    page.locator(".send").click()
    expect(word(page)).to_contain_text("Answers kept on this page: 1.")
    assert reports() == []
    page.context.set_offline(False)
    expect(word(page)).to_contain_text("1 picture reported.")
    first.refresh_from_db()
    assert first.answer == []
    assert reports() == [(2, "broken")]


def test_skipping_a_grid_of_broken_pictures_reports_them(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    press_start(page, live_server, project)
    page.locator(".report-open").click()
    page.locator(".tile").nth(0).click()
    page.locator(".report-open").click()
    with page.expect_response("**/skip"):
        page.get_by_role("button", name="Skip").click()
    assert reports() == [(0, "broken")]
    assert not Vote.objects.exists()
