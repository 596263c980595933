"""What the templates of the grid receive: finished values, and the words after an answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from labelhub.challenges.models import Challenge, Report
from labelhub.projects.models import Project
from labelhub.projects.pages import EXAMPLES_SHOWN, example_url, settled_words
from labelhub.projects.selectors import catalogue

LAST_NUMBER_KEY = 9
SHEET_SLOT = "@sheet@"


@dataclass(frozen=True)
class TilePlace:
    """One square: where it is. What is on it stays unsaid."""

    place: int
    row: int
    column: int
    name: str  # for those who cannot see it
    report_name: str
    key: str  # the number key that picks it; squares beyond the ninth have none


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
    tiles_markup: SafeString
    report_markup: SafeString
    images: int
    settled: int
    progress_words: str
    issue_url: str
    page_url: str
    sheet_url: str
    answer_url: str
    skip_url: str


def grid_page(*, project: Project, challenge: Challenge) -> GridPage:
    """The page of a grid. ``project`` comes with its progress, ``challenge`` any of its own."""
    if challenge.label_class_id is None:
        raise ValueError(f"challenge {challenge.pk} of form {challenge.form} is no grid")
    entry = catalogue(project).entry(challenge.label_class_id)
    before, name, after = entry.asked.rpartition(entry.name)
    if not name:  # a question of its own that does not say the class's name
        before, after = "", ""
        name = entry.asked
    here = [project.slug, challenge.public_id]
    sheet_url = reverse("sheet", args=here)
    return GridPage(
        public_id=challenge.public_id,
        project_name=project.name,
        project_url=project.get_absolute_url(),
        edge=edge_of(challenge.places),
        name=entry.name,
        asked=entry.asked,
        asked_before=before.strip(),
        asked_name=name,
        asked_after=after,
        example_urls=tuple(
            example_url(project.slug, image) for image in entry.examples[:EXAMPLES_SHOWN]
        ),
        tiles_markup=_tiles_markup(challenge.places, sheet_url),
        report_markup=_report_markup(get_language()),
        images=max(project.progress.images, 1),
        settled=project.progress.settled,
        progress_words=settled_words(
            settled=project.progress.settled, images=project.progress.images
        ),
        issue_url=reverse("issue", args=[project.slug]),
        page_url=reverse("grid", args=here),
        sheet_url=sheet_url,
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
    known, bad = reply["known"], reply.get("reported", 0)
    words = []
    if known:
        first = ngettext(
            "%(right)d of %(known)d known one right.",
            "%(right)d of %(known)d known ones right.",
            known,
        ) % {"right": reply["right"], "known": known}
        words.append(first)
    elif reply["judged"]:
        first = ngettext("%(n)d square counted.", "%(n)d squares counted.", reply["judged"]) % {
            "n": reply["judged"]
        }
        words.append(first)
    if bad:
        said = ngettext("%(n)d picture reported.", "%(n)d pictures reported.", bad) % {"n": bad}
        words.append(said)
    words.append(settled_words(settled=reply["settled"], images=reply["images"]))
    return " ".join(words).strip()


def _tiles_markup(count: int, sheet_url: str) -> SafeString:
    """The squares of one grid: those of any grid of so many, over its own sheet."""
    markup = _tiles_over_any_sheet(count, get_language())
    return mark_safe(markup.replace(SHEET_SLOT, escape(sheet_url)))  # noqa: S308  escaped, both


@lru_cache(maxsize=64)
def _tiles_over_any_sheet(count: int, _language: str | None) -> str:
    """Rendered once for each number of squares and language: it was a third of a grid's page."""
    edge, name = edge_of(count), _("Square %(number)s of %(total)s")
    report_name = _("Report picture %(number)s of %(total)s")
    tiles = [
        TilePlace(
            place,
            *divmod(place, edge),
            name=name % {"number": place + 1, "total": count},
            report_name=report_name % {"number": place + 1, "total": count},
            key=str(place + 1) if place < LAST_NUMBER_KEY else "",
        )
        for place in range(count)
    ]
    context = {"tiles": tiles, "sheet_url": SHEET_SLOT}
    return _rendered("challenges/_tiles.html", context)


@lru_cache(maxsize=64)
def _report_markup(_language: str | None) -> SafeString:
    """The way to report bad pictures: the same for every grid in a language."""
    context = {"reasons": Report.Reason.choices}
    return _rendered("challenges/_report.html", context)


def _rendered(template: str, context: dict[str, Any]) -> SafeString:
    """Without the lines' indents: what every grid carries is read by no person."""
    lines = render_to_string(template, context).splitlines()
    return mark_safe("".join(line.strip() for line in lines))  # noqa: S308  a template's own
