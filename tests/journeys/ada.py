"""Careful Ada, who labels in a real browser and knows what the pictures show."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from labelhub.challenges.models import Challenge
from labelhub.projects.models import Project
from labelhub.votes.models import Vote
from tests.factories import true_key
from tests.journeys.real_site import ROWS, RealSite
from tests.supervision.conftest import wait_until

GLANCE = 450  # ms before "none of these" is believed: faster is the second half of a double click


class Ada:
    """Clicks the right squares, grid after grid; ``answers`` are her clicks by grid."""

    def __init__(self, page: Page, site: RealSite, project: Project) -> None:
        self.page = page
        self.site = site
        self.project = project
        self.answers: dict[str, list[int]] = {}

    def start(self) -> None:
        """From the project's page to the first grid."""
        self.page.goto(self.site.url + self.project.get_absolute_url())
        self.page.get_by_role("button", name="Start").click()
        expect(self.page.locator("[data-grid]")).to_be_visible()

    @property
    def grid(self) -> Challenge:
        """The one on the screen."""
        public_id = self.page.locator("[data-grid]").get_attribute("data-grid")
        return Challenge.objects.using(ROWS).get(public_id=public_id)

    def label(self, grids: int = 1) -> None:
        """Answer so many grids, and wait until the site has taken every answer."""
        for _ in range(grids):
            self._answer_what_is_shown()
        wait_until(self._all_is_taken, what="the site took Ada's answers")

    def label_until(
        self, holds: Callable[[], object], *, every: float, seconds: float, what: str
    ) -> None:
        """Answer a grid every so many seconds until the condition holds."""
        for _ in range(round(seconds / every)):
            self.label()
            if comes_true(holds, within=every):
                return
        raise AssertionError(f"not within {seconds} s: {what}")

    def _answer_what_is_shown(self) -> None:
        grid = self.grid
        wanted = grid.label_class.key
        tiles = grid.tiles.select_related("image")
        places = [tile.place for tile in tiles if true_key(tile.image) == wanted]
        for place in places:
            self.page.locator(".tile").nth(place).click()
        if not places:
            self.page.wait_for_timeout(GLANCE)
        self.page.locator(".send").click()
        expect(self.page.locator(f"[data-grid='{grid.public_id}']")).to_have_count(0)
        self.answers[grid.public_id] = places

    def _all_is_taken(self) -> bool:
        taken = Challenge.objects.using(ROWS).filter(public_id__in=self.answers, state="answered")
        return taken.count() == len(self.answers)

    def assert_every_click_counts(self) -> None:
        """The database holds what was clicked: each grid once, each square as one vote."""
        rows = Challenge.objects.using(ROWS).filter(project=self.project, state="answered")
        assert {row.public_id: row.answer for row in rows} == self.answers
        for row in rows:
            votes = Vote.objects.using(ROWS).filter(challenge=row.public_id)
            assert votes.count() == row.places
            assert votes.filter(answer=True).count() == len(self.answers[row.public_id])
        total = sum(row.places for row in rows)
        assert Vote.objects.using(ROWS).filter(project=self.project).count() == total


def comes_true(holds: Callable[[], object], *, within: float) -> bool:
    """Whether the condition holds within so many seconds."""
    try:
        wait_until(holds, seconds=within, what="")
    except AssertionError:
        return False
    return True
