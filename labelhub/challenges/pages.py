"""What the templates of grids and choices receive, and the words after an answer."""

import re
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
from labelhub.projects.asking import Asked
from labelhub.projects.models import Project
from labelhub.projects.pages import EXAMPLES_SHOWN, example_url, settled_words
from labelhub.projects.selectors import Catalogue, CatalogueEntry, catalogue

LAST_NUMBER_KEY = 9
KEY_OF_NONE = "0"
LONG_NAME = 11  # letters: buttons with longer names are wider
MANY_CLASSES = 12  # more than these are listed in smaller buttons
# Stand in the kept markup for what each question has of its own; nobody can put them into a name.
QUESTION_SLOT, TOKEN_SLOT = secrets.token_urlsafe(16), secrets.token_urlsafe(16)


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
class ClassButton:
    """One class of a choice."""

    id: int
    name: str
    is_none: bool
    example_url: str
    key: str  # the number key that chooses it; those beyond the ninth have none


@dataclass(frozen=True)
class QuestionPage:
    """One grid or choice on a page of its own."""

    project_name: str
    project_url: str
    asked: str
    markup: SafeString
    images: int
    settled: int
    progress_words: str


def question_page(*, project: Project, challenge: Challenge, csrf_token: str) -> QuestionPage:
    """The page of a grid or a choice.

    ``project`` comes with its progress, ``challenge`` is any of its own.
    """
    progress, asked_about = project.progress, challenge.label_class_id
    classes = catalogue(project)
    return QuestionPage(
        project_name=project.name,
        project_url=project.get_absolute_url(),
        asked=str(classes.entry(asked_about).asked) if asked_about else choice_words(),
        markup=question_markup(project=project, challenge=challenge, csrf_token=csrf_token),
        images=max(progress.images, 1),
        settled=progress.settled,
        progress_words=settled_words(settled=progress.settled, images=progress.images),
    )


def choice_words() -> str:
    """The question above one picture with all classes to choose from."""
    return _("What is this?")


def question_markup(*, project: Project, challenge: Challenge, csrf_token: str) -> SafeString:
    """One grid or choice, ready to be shown: that of any which asks the same, with its own
    addresses."""
    classes, language = catalogue(project), get_language()
    if challenge.label_class_id is None:
        markup = _choice_of_any(project.slug, classes, language)
    else:
        entry = classes.entry(challenge.label_class_id)
        markup = _grid_of_any(project.slug, entry, challenge.places, language)
    own = {QUESTION_SLOT: challenge.public_id, TOKEN_SLOT: csrf_token}
    for slot, value in own.items():
        markup = markup.replace(slot, escape(value))
    return mark_safe(markup)  # noqa: S308  a template's own, and what was put in is escaped


@lru_cache(maxsize=256)
def _grid_of_any(slug: str, entry: CatalogueEntry, places: int, _language: str | None) -> str:
    """Rendered once for each question: it was a tenth of what a grid costs the server."""
    context = {
        "edge": edge_of(places),
        "name": _on_one_line(entry.name),
        "asked": Asked(*map(_on_one_line, entry.asked)),
        "example_urls": [example_url(slug, image) for image in entry.examples[:EXAMPLES_SHOWN]],
        "tiles": _tile_places(places),
    }
    return _rendered("challenges/_grid.html", slug, context)


@lru_cache(maxsize=32)
def _choice_of_any(slug: str, classes: Catalogue, _language: str | None) -> str:
    """Rendered once for each state of the catalogue."""
    longest = max(len(entry.name) for entry in classes.entries)
    many = len(classes.entries) > MANY_CLASSES
    buttons = _class_buttons(slug, classes)
    context = {
        "asked": choice_words(),
        "choices": buttons[:-1] if many else buttons,
        "none_apart": buttons[-1] if many else None,  # at hand however long the list is
        "wide": longest > LONG_NAME,
        "many": many,
    }
    return _rendered("challenges/_choice.html", slug, context)


def _rendered(template: str, slug: str, context: dict[str, Any]) -> str:
    """With slots for its own, without the lines' indents: what every question carries is read by no
    person."""
    here = [slug, QUESTION_SLOT]
    shared = {
        "public_id": QUESTION_SLOT,
        "csrf_token": TOKEN_SLOT,
        "reasons": Report.Reason.choices,
        "issue_url": reverse("issue", args=[slug]),
        "page_url": reverse("grid", args=here),
        "sheet_url": reverse("sheet", args=here),
        "answer_url": reverse("answer", args=here),
        "skip_url": reverse("skip", args=here),
    }
    lines = render_to_string(template, {**shared, **context}).splitlines()
    return "".join(line.strip() for line in lines)


def _on_one_line(words: str) -> str:
    """With a space for a line break: the lines of what is rendered are put together."""
    return re.sub(r"\s+", " ", words)


def _class_buttons(slug: str, classes: Catalogue) -> list[ClassButton]:
    """The classes in their order, *none of these* last, whose key does not depend on their
    number."""
    named = classes.askable
    none = [entry for entry in classes.entries if entry.is_none]
    return [
        ClassButton(
            id=entry.id,
            name=_("None of these") if entry.is_none else entry.name,
            is_none=entry.is_none,
            example_url=example_url(slug, entry.examples[0]) if entry.examples else "",
            key=KEY_OF_NONE if entry.is_none else _number_key(place),
        )
        for place, entry in enumerate((*named, *none))
    ]


def _tile_places(count: int) -> list[TilePlace]:
    edge, name = edge_of(count), _("Square %(number)s of %(total)s")
    report_name = _("Report picture %(number)s of %(total)s")
    return [
        TilePlace(
            place,
            *divmod(place, edge),
            name=name % {"number": place + 1, "total": count},
            report_name=report_name % {"number": place + 1, "total": count},
            key=_number_key(place),
        )
        for place in range(count)
    ]


def _number_key(place: int) -> str:
    return str(place + 1) if place < LAST_NUMBER_KEY else ""


def edge_of(tiles: int) -> int:
    """Tiles along one side of a grid of so many; near a project's end the last row is short."""
    edge = 1
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
        first = ngettext("%(n)d picture counted.", "%(n)d pictures counted.", reply["judged"]) % {
            "n": reply["judged"]
        }
        words.append(first)
    if bad:
        said = ngettext("%(n)d picture reported.", "%(n)d pictures reported.", bad) % {"n": bad}
        words.append(said)
    words.append(settled_words(settled=reply["settled"], images=reply["images"]))
    return " ".join(words).strip()
