"""Choices in a real browser: mouse, keyboard, touch, no script, no network; also among many."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from fixtures.shapes import draw_shapes
from labelhub.challenges.models import Challenge, Report
from labelhub.projects.models import Project
from labelhub.votes.models import Vote
from tests.challenges.given import best_as_choices
from tests.journeys.drawn import SEED, drawn_project
from tests.journeys.test_grid_page import PHONE, shown, word

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
GLANCE = 450  # ms: an answer that comes faster is the second half of a double click
LANDS = ("Andorra", "Belgium", "Bosnia", "Bulgaria", "Croatia", "Cyprus", "Denmark", "Estonia")


@pytest.fixture
def project(transactional_db: None) -> Project:
    """Shapes, each best asked with all classes to choose from."""
    return best_as_choices(drawn_project(asks_choices=True))


def press_start(page: Page, live_server: LiveServer, project: Project) -> Challenge:
    """From the project's page to the first choice, with the next one fetched; looked at."""
    page.goto(live_server.url + project.get_absolute_url())
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", name="What is this?")).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(GLANCE)
    return shown(page)


def name_of(challenge: Challenge) -> str:
    """What careful Ada would choose."""
    drawn = draw_shapes(count=challenge.project.images.count(), seed=SEED)
    image = challenge.tiles.get().image
    return drawn.classes[drawn.labels[int(image.name.removesuffix(".png"))]]


def gone(page: Page, challenge: Challenge) -> None:
    """The choice was sent, and the next one is there."""
    expect(page.locator(f"[data-grid='{challenge.public_id}']")).to_have_count(0)
    expect(page.locator("[data-grid]")).to_have_count(1)


def chosen(challenge: Challenge) -> list[str]:
    """The names of the votes of an answer, once it was taken."""
    challenge.refresh_from_db()
    assert challenge.state == Challenge.State.ANSWERED
    votes = Vote.objects.filter(challenge=challenge.public_id, kind=Vote.Kind.CHOICE, answer=True)
    return list(votes.values_list("label_class__name", flat=True))


def test_careful_ada_chooses_with_the_mouse(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    first = press_start(page, live_server, project)
    page.get_by_role("button", name=name_of(first)).click()
    gone(page, first)
    expect(word(page)).to_contain_text("1 picture counted.")
    expect(word(page)).to_contain_text("Pictures this visit: 1")
    assert chosen(first) == [name_of(first)]
    expect(page).to_have_title("What is this? · Shapes")
    assert shown(page).public_id in page.url


def test_each_further_choice_costs_one_request_and_one_picture(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    press_start(page, live_server, project)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    seen = []
    for _ in range(3):
        seen.append(shown(page).public_id)
        page.locator(".choice").first.click()
        expect(page.locator(f"[data-grid='{seen[-1]}']")).to_have_count(0)
        expect(word(page)).to_contain_text(f"Pictures this visit: {len(seen)}")
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(GLANCE)
    assert len(set(seen)) == 3
    of_questions = [url.rpartition("/")[2] for url in asked if "/grid/" in url]
    assert sorted(of_questions) == ["answer"] * 3 + ["sheet"] * 3


def test_the_second_half_of_a_double_click_is_no_answer(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    press_start(page, live_server, project)
    page.locator(".choice").first.dblclick()
    expect(word(page)).to_contain_text("Pictures this visit: 1")
    page.wait_for_load_state("networkidle")
    assert Vote.objects.count() == 1


def test_the_whole_way_with_number_keys(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    first = press_start(page, live_server, project)
    page.keyboard.press("2")
    gone(page, first)
    expect(page.locator(".choice").first).to_be_focused()
    second = shown(page)
    page.wait_for_timeout(GLANCE)
    page.keyboard.press("0")
    gone(page, second)
    expect(word(page)).to_contain_text("Pictures this visit: 2")
    assert (chosen(first), chosen(second)) == (["cross"], ["none of these"])


def test_a_held_key_answers_one_question_and_not_all_that_follow(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    press_start(page, live_server, project)
    for key in ("1", "Enter"):
        for _ in range(4):  # the first press, and the keyboard's repeats of it
            page.keyboard.down(key)
            page.wait_for_timeout(GLANCE)
        page.keyboard.up(key)
    expect(word(page)).to_contain_text("Pictures this visit: 2")
    page.wait_for_load_state("networkidle")
    assert Vote.objects.count() == 2


def test_arrows_and_letters_move_among_the_classes(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    first = press_start(page, live_server, project)
    button = page.get_by_role("button")
    for key, name in (
        ("ArrowDown", "circle"),
        ("ArrowRight", "cross"),
        ("ArrowDown", "square"),
        ("ArrowDown", "ring"),
        ("ArrowDown", "None of these"),
        ("ArrowLeft", "ring"),
        ("s", "square"),
        ("s", "star"),
        ("s", "square"),
        ("t", "triangle"),
    ):
        page.keyboard.press(key)
        expect(button.filter(has_text=name)).to_be_focused()
    page.keyboard.press("Enter")
    gone(page, first)
    expect(word(page)).to_contain_text("Pictures this visit: 1")
    assert chosen(first) == ["triangle"]


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_the_whole_way_without_a_script(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    first = press_start(page, live_server, project)
    page.get_by_role("button", name=name_of(first)).click()
    gone(page, first)
    expect(word(page)).to_contain_text("1 picture counted.")
    second = shown(page)
    page.get_by_role("button", name="Skip").click()
    gone(page, second)
    third = shown(page)
    page.get_by_text("Report this picture").click()
    page.get_by_label("What is wrong?").select_option("not fit to be shown")
    page.get_by_role("button", name="Report").click()
    gone(page, third)
    expect(word(page)).to_contain_text("1 picture reported.")
    assert chosen(first) == [name_of(first)]
    assert Report.objects.get().reason == "unfit"
    assert Vote.objects.count() == 1


def test_skipping_gives_another_question_and_adds_no_vote(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    first = press_start(page, live_server, project)
    with page.expect_response("**/skip"):
        page.get_by_role("button", name="Skip").click()
    gone(page, first)
    first.refresh_from_db()
    assert first.state == Challenge.State.SKIPPED
    assert not Vote.objects.exists()


def test_a_picture_is_reported_with_the_keyboard_and_escape_leads_back(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    first = press_start(page, live_server, project)
    page.locator(".report-open").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".choice").first).to_be_hidden()
    page.keyboard.press("1")  # chooses nothing now
    page.keyboard.press("Escape")
    expect(page.locator(".choice").first).to_be_visible()
    expect(page.locator(".report-open")).to_be_focused()
    assert shown(page) == first
    for key in ("Enter", "Tab", "ArrowDown", "Tab"):
        page.keyboard.press(key)
    expect(page.get_by_role("button", name="Report")).to_be_focused()
    page.keyboard.press("Enter")
    gone(page, first)
    expect(word(page)).to_contain_text("1 picture reported.")
    assert Report.objects.get().reason == "unfit"
    assert not Vote.objects.exists()


def test_an_answer_on_a_lost_network_is_kept_and_sent_once(
    page: Page, live_server: LiveServer, project: Project
) -> None:
    first = press_start(page, live_server, project)
    page.context.set_offline(True)
    page.keyboard.press("3")
    expect(word(page)).to_contain_text("Answers kept on this page: 1.")
    assert not Vote.objects.exists()
    page.context.set_offline(False)
    expect(word(page)).to_contain_text("Pictures this visit: 1", timeout=10_000)
    assert chosen(first) == ["triangle"]


def test_a_grid_follows_a_choice_in_place(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    first = press_start(page, live_server, project)
    project.candidates.update(form="grid")
    page.keyboard.press("1")
    gone(page, first)
    expect(word(page)).to_contain_text("Pictures this visit: 1")
    page.wait_for_timeout(GLANCE)
    page.keyboard.press("1")  # the choice that was ahead
    expect(page.get_by_role("checkbox", name="Square 9 of 9")).to_be_attached()
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(word(page)).to_contain_text("Pictures this visit: 11")


@pytest.mark.browser_context_args(viewport=PHONE, has_touch=True, is_mobile=True)
def test_a_phone_shows_a_choice_among_six_without_scrolling(
    page: Page, live_server: LiveServer, project: Project, complaints: list[str]
) -> None:
    first = press_start(page, live_server, project)
    buttons = page.locator(".choice, .skip, .report-open").all()
    assert len(buttons) == 6 + 1 + 2
    for part in buttons:
        box = part.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
    assert page.evaluate("document.documentElement.scrollHeight") <= PHONE["height"]
    page.locator(".report-open").tap()  # nothing jumps, and nothing that reports is under the thumb
    assert page.evaluate("document.documentElement.scrollHeight") <= PHONE["height"]
    page.locator(".report-open").tap()
    page.get_by_role("button", name=name_of(first)).tap()
    gone(page, first)
    expect(word(page)).to_contain_text("1 picture counted.")
    assert chosen(first) == [name_of(first)]


@pytest.fixture
def sixty(transactional_db: None) -> Project:
    """Each picture is best asked with sixty classes to choose from."""
    names = [f"{land} {n}" for n in range(7) for land in LANDS][:54]
    return best_as_choices(drawn_project(asks_choices=True, more_classes=names))


def nothing_covers(part: Locator) -> bool:
    """Whether a tap on its middle reaches it."""
    found: bool = part.evaluate("""part => {
        const box = part.getBoundingClientRect()
        const [x, y] = [box.left + box.width / 2, box.top + box.height / 2]
        return part.contains(document.elementFromPoint(x, y))
    }""")
    return found


@pytest.mark.browser_context_args(viewport=PHONE, has_touch=True, is_mobile=True)
def test_a_phone_keeps_picture_none_and_skip_at_hand_while_sixty_classes_are_looked_through(
    page: Page, live_server: LiveServer, sixty: Project, complaints: list[str]
) -> None:
    first = press_start(page, live_server, sixty)
    picture = page.locator(".choice-picture")
    none = page.get_by_role("button", name="None of these")
    skip = page.get_by_role("button", name="Skip")
    report = page.locator(".report-open")
    named = page.locator(".choices .choice")
    for place in (0, 30, 59):
        named.nth(place).focus()
        expect(picture).to_be_in_viewport(ratio=0.99)
        for part in (none, skip, report, named.nth(place)):
            expect(part).to_be_in_viewport(ratio=0.99)
            assert nothing_covers(part)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    report.tap()
    expect(page.get_by_role("button", name="Report", exact=True)).to_be_in_viewport(ratio=0.99)
    expect(none).to_be_hidden()
    report.tap()
    none.tap()
    gone(page, first)
    expect(word(page)).to_contain_text("1 picture counted.")
    assert chosen(first) == ["none of these"]


def test_none_and_skip_stay_beside_the_picture_while_a_long_list_is_scrolled(
    page: Page, live_server: LiveServer, sixty: Project, complaints: list[str]
) -> None:
    first = press_start(page, live_server, sixty)
    for key in ("ArrowDown", "ArrowUp", *["ArrowDown"] * 20):  # past the last row
        page.keyboard.press(key)
    none = page.get_by_role("button", name="None of these")
    expect(none).to_be_focused()
    page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    for part in (page.locator(".choice-picture"), none, page.get_by_role("button", name="Skip")):
        expect(part).to_be_in_viewport(ratio=0.99)
        assert nothing_covers(part)
    page.keyboard.press("Enter")
    gone(page, first)
    expect(word(page)).to_contain_text("1 picture counted.")
    assert chosen(first) == ["none of these"]


def test_a_class_among_thirty_is_found_by_its_first_letters_key(
    page: Page, live_server: LiveServer, transactional_db: None, complaints: list[str]
) -> None:
    project = best_as_choices(drawn_project(asks_choices=True, more_classes=LANDS))
    first = press_start(page, live_server, project)
    expect(page.locator(".choice[aria-keyshortcuts]")).to_have_count(9 + 1)
    for key in ("ArrowDown", "d", "Enter"):
        page.keyboard.press(key)
    gone(page, first)
    expect(word(page)).to_contain_text(re.compile("1 picture counted"))
    assert chosen(first) == ["Denmark"]
