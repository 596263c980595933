"""What the templates of the grid receive: finished values, and the words after an answer."""

import secrets
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
from labelhub.projects.selectors import CatalogueEntry, catalogue

LAST_NUMBER_KEY = 9
# Stand in the kept markup for what each grid has of its own; nobody can put them into a name.
GRID_SLOT, TOKEN_SLOT = secrets.token_urlsafe(16), secrets.token_urlsafe(16)


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
    """One grid on a page of its own."""

    project_name: str
    project_url: str
    asked: str
    markup: SafeString
    images: int
    settled: int
    progress_words: str


def grid_page(*, project: Project, challenge: Challenge, csrf_token: str) -> GridPage:
    """The page of a grid. ``project`` comes with its progress, ``challenge`` any of its own."""
    progress = project.progress
    return GridPage(
        project_name=project.name,
        project_url=project.get_absolute_url(),
        asked=_entry(project, challenge).asked,
        markup=grid_markup(project=project, challenge=challenge, csrf_token=csrf_token),
        images=max(progress.images, 1),
        settled=progress.settled,
        progress_words=settled_words(settled=progress.settled, images=progress.images),
    )


def grid_markup(*, project: Project, challenge: Challenge, csrf_token: str) -> SafeString:
    """One grid, ready to be shown: that of any grid which asks the same, with its own addresses."""
    entry = _entry(project, challenge)
    markup = _markup_of_any(project.slug, entry, challenge.places, get_language())
    own = {GRID_SLOT: challenge.public_id, TOKEN_SLOT: csrf_token}
    for slot, value in own.items():
        markup = markup.replace(slot, escape(value))
    return mark_safe(markup)  # noqa: S308  a template's own, and what was put in is escaped


@lru_cache(maxsize=256)
def _markup_of_any(slug: str, entry: CatalogueEntry, places: int, _language: str | None) -> str:
    """Rendered once for each question: it was a tenth of what a grid costs the server.

    Without the lines' indents: what every grid carries is read by no person.
    """
    asked, called = (" ".join(words.split()) for words in (entry.asked, entry.name))
    before, name, after = asked.rpartition(called)
    if not name:  # a question of its own that does not say the class's name
        before, name, after = "", asked, ""
    here = [slug, GRID_SLOT]
    context = {
        "public_id": GRID_SLOT,
        "csrf_token": TOKEN_SLOT,
        "edge": edge_of(places),
        "name": called,
        "asked_before": before.strip(),
        "asked_name": name,
        "asked_after": after,
        "example_urls": [example_url(slug, image) for image in entry.examples[:EXAMPLES_SHOWN]],
        "tiles": _tile_places(places),
        "reasons": Report.Reason.choices,
        "issue_url": reverse("issue", args=[slug]),
        "page_url": reverse("grid", args=here),
        "sheet_url": reverse("sheet", args=here),
        "answer_url": reverse("answer", args=here),
        "skip_url": reverse("skip", args=here),
    }
    lines = render_to_string("challenges/_grid.html", context).splitlines()
    return "".join(line.strip() for line in lines)


def _entry(project: Project, challenge: Challenge) -> CatalogueEntry:
    if challenge.label_class_id is None:
        raise ValueError(f"challenge {challenge.pk} of form {challenge.form} is no grid")
    return catalogue(project).entry(challenge.label_class_id)


def _tile_places(count: int) -> list[TilePlace]:
    edge, name = edge_of(count), _("Square %(number)s of %(total)s")
    report_name = _("Report picture %(number)s of %(total)s")
    return [
        TilePlace(
            place,
            *divmod(place, edge),
            name=name % {"number": place + 1, "total": count},
            report_name=report_name % {"number": place + 1, "total": count},
            key=str(place + 1) if place < LAST_NUMBER_KEY else "",
        )
        for place in range(count)
    ]


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
