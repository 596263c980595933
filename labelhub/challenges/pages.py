"""What the templates of the grid receive: finished values, and the words after an answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import ngettext

from labelhub.challenges.models import Challenge
from labelhub.projects.models import Project
from labelhub.projects.pages import EXAMPLES_SHOWN, example_url, settled_words
from labelhub.projects.selectors import catalogue

LAST_NUMBER_KEY = 9


@dataclass(frozen=True)
class TilePlace:
    """One square: where it is. What is on it stays unsaid."""

    place: int
    row: int
    column: int

    @property
    def number(self) -> int:
        return self.place + 1

    @property
    def key(self) -> str:
        """The number key that picks it; squares beyond the ninth have none."""
        return str(self.number) if self.number <= LAST_NUMBER_KEY else ""


@dataclass(frozen=True)
class GridPage:
    """One grid, ready to be shown."""

    public_id: str
    project_name: str
    project_url: str
    edge: int
    name: str
    asked: str
    asked_before: str
    asked_name: str
    asked_after: str
    example_urls: tuple[str, ...]
    tiles: tuple[TilePlace, ...]
    images: int
    settled: int
    progress_words: str
    issue_url: str
    page_url: str
    sheet_url: str
    answer_url: str
    skip_url: str

    @property
    def total(self) -> int:
        return len(self.tiles)


def grid_page(*, project: Project, challenge: Challenge) -> GridPage:
    """The page of a grid. ``project`` comes with its progress, ``challenge`` any of its own."""
    if challenge.label_class_id is None:
        raise ValueError(f"challenge {challenge.pk} of form {challenge.form} is no grid")
    entry = catalogue(project).entry(challenge.label_class_id)
    before, name, after = entry.asked.rpartition(entry.name)
    if not name:  # a question of its own that does not say the class's name
        before, after = "", ""
        name = entry.asked
    edge = edge_of(challenge.places)
    here = [project.slug, challenge.public_id]
    return GridPage(
        public_id=challenge.public_id,
        project_name=project.name,
        project_url=project.get_absolute_url(),
        edge=edge,
        name=entry.name,
        asked=entry.asked,
        asked_before=before.strip(),
        asked_name=name,
        asked_after=after,
        example_urls=tuple(
            example_url(project.slug, image) for image in entry.examples[:EXAMPLES_SHOWN]
        ),
        tiles=tuple(TilePlace(n, *divmod(n, edge)) for n in range(challenge.places)),
        images=max(project.progress.images, 1),
        settled=project.progress.settled,
        progress_words=settled_words(
            settled=project.progress.settled, images=project.progress.images
        ),
        issue_url=reverse("issue", args=[project.slug]),
        page_url=reverse("grid", args=here),
        sheet_url=reverse("sheet", args=here),
        answer_url=reverse("answer", args=here),
        skip_url=reverse("skip", args=here),
    )


def edge_of(tiles: int) -> int:
    """Tiles along one side of a grid of so many; near a project's end the last row is short."""
    edge = 2
    while edge * edge < tiles:
        edge += 1
    return edge


def word_after(reply: Mapping[str, Any] | None) -> str:
    """One short true line after an answer; empty where there was none."""
    if not reply:
        return ""
    known = reply["known"]
    if known:
        first = ngettext(
            "%(right)d of %(known)d known one right.",
            "%(right)d of %(known)d known ones right.",
            known,
        ) % {"right": reply["right"], "known": known}
    else:
        first = ngettext("%(n)d square counted.", "%(n)d squares counted.", reply["judged"]) % {
            "n": reply["judged"]
        }
    return f"{first} {settled_words(settled=reply['settled'], images=reply['images'])}".strip()
