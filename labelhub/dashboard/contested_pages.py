"""Contested pictures: what people said of each, and the decision that is left to an admin."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from django.core.paginator import Page, Paginator
from django.db.models import Count
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labelhub.dashboard.balance import series_of
from labelhub.dashboard.image_pages import is_small
from labelhub.dashboard.image_selectors import by_probability, image_of
from labelhub.dashboard.wording import number, percent
from labelhub.projects.models import Image, Project
from labelhub.projects.selectors import Catalogue, catalogue
from labelhub.rounds.contested import contested
from labelhub.rounds.queueing import MANY_PEOPLE
from labelhub.votes.models import Consensus, Vote

A_PAGE = 100  # pictures
LIKELIEST = 3  # classes that one click decides for
LEAST_SHARE = 0.01  # of a third class, to be offered

Tally = dict[tuple[int, str, bool], int]  # (LabelClass id, kind, answer) -> votes


@dataclass(frozen=True)
class Verdict:
    """A class that the picture may be of, and what speaks for it."""

    id: int
    name: str
    series: str
    key: str  # on the keyboard
    share: str
    width: str
    votes: str


@dataclass(frozen=True)
class ContestedCard:
    """One picture to decide on, or one that was: then ``decision`` says how, and may be undone."""

    image_id: int
    name: str
    small: bool
    url: str
    picture_url: str
    people: str
    verdicts: tuple[Verdict, ...]
    others: str  # what was said of other classes
    gold_url: str
    exclude_url: str
    decision: str = ""
    undo_url: str = ""


@dataclass(frozen=True)
class ContestedPage:
    """A page of contested pictures, the most doubtful first."""

    title: str
    note: str
    cards: tuple[ContestedCard, ...]
    turns: Page[Consensus]
    pages: str
    decided: ContestedCard | None  # the picture that was decided on a moment ago


def contested_page(*, project: Project, turn: str, decided_id: int | None) -> ContestedPage:
    """What waits for a decision; three queries, and two more about the one just decided."""
    rows = contested(project=project).select_related("image", "parameters")
    turns = Paginator(rows, A_PAGE).get_page(turn)
    count = turns.paginator.count
    return ContestedPage(
        title=_title(count),
        note=_note(count),
        cards=_cards(project, list(turns)),
        turns=turns,
        pages=_("Page %(page)s of %(pages)s")
        % {"page": number(turns.number), "pages": number(turns.paginator.num_pages)},
        decided=contested_card(project=project, image_id=decided_id) if decided_id else None,
    )


def contested_title(*, project: Project) -> str:
    """How many pictures wait, in words."""
    return _title(contested(project=project).count())


def _title(count: int) -> str:
    if not count:
        return _("No picture is contested")
    return ngettext(
        "%(n)s contested picture waits for you", "%(n)s contested pictures wait for you", count
    ) % {"n": number(count)}


def _note(count: int) -> str:
    if count:
        words = _(
            "%(people)s people or more have judged each, and no class is sure: one more answer "
            "hardly helps. Say what a picture is, which makes it Gold, or exclude what nobody can "
            "tell. The most doubtful come first."
        )
    else:
        words = _(
            "A picture comes here when %(people)s people or more have judged it and no class is "
            "sure: one more answer hardly helps then, and somebody who knows has to look."
        )
    return words % {"people": number(MANY_PEOPLE)}


def contested_card(*, project: Project, image_id: int) -> ContestedCard | None:
    """One picture with what was decided; None where the project has no such picture."""
    image = image_of(project=project, image_id=image_id)
    if image is None or not hasattr(image, "consensus"):
        return None
    [card] = _cards(project, [image.consensus])
    decision, undo = _decision(image)
    undo_url = reverse(f"dashboard:{undo}", args=[project.slug, image.pk]) if undo else ""
    return replace(card, decision=decision, undo_url=undo_url)


def _cards(project: Project, rows: Sequence[Consensus]) -> tuple[ContestedCard, ...]:
    classes = catalogue(project)
    tallies = _tallies([row.image_id for row in rows])
    return tuple(_card(project, row, tallies.get(row.image_id, {}), classes) for row in rows)


def _tallies(images: Iterable[int]) -> dict[int, Tally]:
    """How people voted on each image: standing votes by class, kind and answer."""
    found: dict[int, Tally] = {}
    rows = (
        Vote.objects.filter(image_id__in=list(images), retraction__isnull=True)
        .values_list("image_id", "label_class_id", "kind", "answer")
        .annotate(votes=Count("id"))
        .order_by()
    )
    for image_id, label_class_id, kind, answer, votes in rows:
        found.setdefault(image_id, {})[label_class_id, kind, answer] = votes
    return found


def _card(
    project: Project, consensus: Consensus, tally: Tally, classes: Catalogue
) -> ContestedCard:
    image, here = consensus.image, [project.slug, consensus.image_id]
    ranked = by_probability(
        consensus.parameters.label_classes, bytes(consensus.probabilities), "<f8"
    )
    offered = [
        (label_class, share)
        for place, (label_class, share) in enumerate(ranked[:LIKELIEST])
        if place < LIKELIEST - 1 or share >= LEAST_SHARE
    ]
    return ContestedCard(
        image_id=image.pk,
        name=image.name,
        small=is_small(image),
        url=reverse("dashboard:image", args=here),
        picture_url=reverse("dashboard:tile", args=here),
        people=ngettext("%(n)s person", "%(n)s people", consensus.humans)
        % {"n": number(consensus.humans)},
        verdicts=tuple(
            Verdict(
                id=label_class,
                name=classes.entry(label_class).name,
                series=series_of(classes.entry(label_class)),
                key=str(place),
                share=percent(share),
                width=f"{100 * share:.1f}%",
                votes=_votes_words(label_class, tally),
            )
            for place, (label_class, share) in enumerate(offered, start=1)
        ),
        others=_others_words({label_class for label_class, _share in offered}, tally, classes),
        gold_url=reverse("dashboard:mark_gold", args=here),
        exclude_url=reverse("dashboard:exclude", args=here),
    )


def _decision(image: Image) -> tuple[str, str]:
    """What was decided of an image, and the name of the address that undoes it."""
    if image.status == Image.Status.EXCLUDED:
        return _("Excluded"), "keep"
    gold = getattr(image, "gold", None)
    if gold is not None:
        return _("Gold: %(name)s") % {"name": gold.label_class.name}, "take_back_gold"
    return "", ""


def _votes_words(label_class: int, tally: Tally) -> str:
    """How people voted on one class: "4 yes, 2 no, chosen 3 times"."""
    yes, no, chosen = (
        tally.get((label_class, kind, answer), 0)
        for kind, answer in (
            (Vote.Kind.YES_NO.value, True),
            (Vote.Kind.YES_NO.value, False),
            (Vote.Kind.CHOICE.value, True),
        )
    )
    words = []
    if yes:
        words.append(_("%(n)s yes") % {"n": number(yes)})
    if no:
        words.append(_("%(n)s no") % {"n": number(no)})
    if chosen:
        words.append(_("chosen %(n)s×") % {"n": number(chosen)})
    return ", ".join(words) or _("no votes")


def _others_words(offered: set[int], tally: Tally, classes: Catalogue) -> str:
    """The votes on the classes that are not offered."""
    asked = {label_class for label_class, _kind, _answer in tally} - offered
    return "; ".join(
        f"{entry.name}: {_votes_words(entry.id, tally)}"
        for entry in classes.entries
        if entry.id in asked
    )
