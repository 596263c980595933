"""Replay in a real browser: a picture goes through a network stage by stage, by mouse and by keys,
side by side, with a picture of one's own, and where something is in the way."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from django.conf import settings
from PIL import Image as Pillow
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from labelhub.projects.models import Project
from labelhub.rounds import dispatch, mailbox
from labelhub.rounds.models import ModelVersion, Round
from tests.factories import NOON
from tests.journeys.test_dashboard_page import PHONE, sign_in
from tests.pictured import draw, striped_project
from tests.workers.untrained import untrained_version
from workers.inference_tasks import replay

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture
def stripes(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> Iterator[ModelVersion]:
    """A version in service, and a worker that answers at once, in the server's own process."""
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    monkeypatch.setattr(settings, "REDIS_URL", "memory://localhost")
    mailbox.mailbox_of.cache_clear()

    def take(task: str, *, seconds: float, **asked: object) -> None:
        assert task == replay.name
        replay(**asked)

    monkeypatch.setattr(dispatch, "ask_now", take)
    project = striped_project(images=12, gold_per_class=2)
    untrained_version(project)
    project.rounds.update(state=Round.State.DONE, finished_at=NOON)
    yield untrained_version(project)
    mailbox.mailbox_of.cache_clear()


def open_replay(page: Page, live_server: LiveServer, project: Project, rest: str = "") -> None:
    sign_in(page.context, live_server)
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{live_server.url}/dashboard/{project.slug}/replay/{rest}")
    expect(page.locator(".lane").first.locator(".step-now")).to_contain_text("softmax")


def test_a_picture_goes_through_every_stage_and_the_bars_settle_at_the_end(
    page: Page, live_server: LiveServer, stripes: ModelVersion, complaints: list[str]
) -> None:
    open_replay(page, live_server, stripes.project)
    steps = page.locator(".step")
    expect(steps).to_have_count(15)
    expect(steps.nth(2)).to_contain_text("convolution, 16 × 16 × 16")
    drawn = steps.nth(2).locator("canvas")
    expect(drawn).to_have_attribute("aria-label", "conv1: convolution, 16 × 16 × 16")
    colours = drawn.evaluate(
        "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
    )
    assert colours > 20  # something is drawn
    shares = page.locator(".lane-word .word-share").all_inner_texts()
    assert sum(int(share.split()[0]) for share in shares) == pytest.approx(100, abs=2)
    page.locator("h1").click()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".step-now")).to_contain_text("logits")
    expect(page.locator(".lane-word .word-share").first).to_have_text("–")
    page.get_by_role("button", name="A stage on").click()
    expect(page.locator(".step-now")).to_contain_text("softmax")


def test_play_lights_one_stage_after_the_other_and_pauses(
    page: Page, live_server: LiveServer, stripes: ModelVersion, complaints: list[str]
) -> None:
    open_replay(page, live_server, stripes.project)
    page.emulate_media(reduced_motion="no-preference")
    page.locator("#speed").select_option("250")
    page.locator("h1").click()
    page.keyboard.press(" ")
    expect(page.locator("#play")).to_have_text("Pause")
    expect(page.locator(".step-now")).to_contain_text("relu1")
    page.locator("#play").click()
    expect(page.locator("#play")).to_have_text("Replay")
    assert 0 < page.locator(".step-reached").count() < 15
    page.locator("#play").click()
    expect(page.locator(".step-now")).to_contain_text("softmax")
    expect(page.locator("#play")).to_have_text("Replay")


def test_two_versions_stand_side_by_side_and_the_address_says_so(
    page: Page, live_server: LiveServer, stripes: ModelVersion, complaints: list[str]
) -> None:
    open_replay(page, live_server, stripes.project)
    page.get_by_role("button", name="Side by side").click()
    lanes = page.locator(".lane")
    expect(lanes).to_have_count(2)
    expect(lanes.nth(1).locator(".step-now")).to_contain_text("softmax")
    expect(lanes.nth(0).get_by_label("Network")).to_have_value("2")
    expect(lanes.nth(1).get_by_label("Network")).to_have_value("1")
    lanes.nth(1).locator(".pick input[type=radio]").nth(2).check()
    expect(lanes.nth(1).locator(".step-now")).to_contain_text("softmax")
    page.reload()
    expect(page.locator(".lane")).to_have_count(2)
    expect(page.locator(".lane").nth(1).get_by_label("Network")).to_have_value("1")
    page.get_by_role("button", name="Side by side").click()
    expect(page.locator(".lane")).to_have_count(1)


def test_a_picture_of_ones_own_goes_through_and_what_is_none_is_refused_in_words(
    page: Page, live_server: LiveServer, stripes: ModelVersion
) -> None:
    open_replay(page, live_server, stripes.project)
    buffer = io.BytesIO()
    Pillow.fromarray(draw("down", np.random.default_rng(5))).save(buffer, "PNG")
    own = page.locator(".lane-own")
    own.set_input_files({"name": "mine.png", "mimeType": "image/png", "buffer": buffer.getvalue()})
    expect(page.locator(".lane-picture canvas")).to_have_count(1)
    expect(page.locator(".lane-picture")).to_contain_text("mine.png")
    own.set_input_files({"name": "no.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(page.locator(".lane-trouble")).to_contain_text("Your picture: not a picture (JPEG")
    expect(page.locator(".step")).to_have_count(0)
    page.locator(".pick input[type=radio]").first.check()
    expect(page.locator(".step-now")).to_contain_text("softmax")
    expect(page.locator(".lane-trouble")).to_be_hidden()


def test_a_lost_picture_is_said_on_the_page(
    page: Page, live_server: LiveServer, stripes: ModelVersion
) -> None:
    open_replay(page, live_server, stripes.project)
    for file in (settings.DATA_DIR / "pictures").rglob("*.tile"):
        file.unlink()
    page.locator(".pick input[type=radio]").nth(1).check()
    expect(page.locator(".lane-trouble")).to_contain_text("lost or damaged")


@pytest.mark.parametrize("rest", ["", "?beside=1"])
def test_a_replay_fits_a_phone(
    browser: Browser, live_server: LiveServer, stripes: ModelVersion, rest: str
) -> None:
    page = browser.new_context(viewport=PHONE).new_page()
    open_replay(page, live_server, stripes.project, rest)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.context.close()


def test_side_by_side_on_a_phone_each_bar_lies_under_the_name_of_its_class(
    browser: Browser, live_server: LiveServer, stripes: ModelVersion
) -> None:
    page = browser.new_context(viewport=PHONE).new_page()
    open_replay(page, live_server, stripes.project, "?beside=1")
    bars = page.locator(".lane").first.locator(".lane-word .word-bars")
    names, tracks = (
        bars.locator(part).evaluate_all("all => all.map(one => one.getBoundingClientRect().top)")
        for part in (".word-name", ".word-track")
    )
    in_turn = [top for pair in zip(names, tracks, strict=True) for top in pair]
    assert in_turn == sorted(in_turn)
    page.context.close()
