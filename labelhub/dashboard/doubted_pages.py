"""Labels that are likely wrong: what was said of a picture, what networks take it for, and the word
that is left to an admin."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from django.core.paginator import Page, Paginator
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labelhub.dashboard.balance import series_of
from labelhub.dashboard.image_pages import is_small
from labelhub.dashboard.image_selectors import image_of
from labelhub.dashboard.wording import number, percent
from labelhub.projects.models import Gold, Image, Project
from labelhub.projects.selectors import catalogue
from labelhub.rounds.contradicted import AGAIN
from labelhub.rounds.label_doubts import CERTAIN_BY_EYE
from labelhub.rounds.models import Candidate, LabelDoubts, Prediction

A_PAGE = 60  # pictures


@dataclass(frozen=True)
class Word:
    """A class that one click says, and how much the networks give it."""

    id: int
    name: str
    series: str
    key: str
    role: str  # "the label" or "the networks"
    share: str
    width: str
    url: str


@dataclass(frozen=True)
class DoubtedCard:
    """One picture to decide on, or one that was: then ``decision`` says how."""

    image_id: int
    name: str
    small: bool
    url: str
    picture_url: str
    source: str
    words: tuple[Word, ...]
    ask_url: str  # empty where nobody can be asked
    exclude_url: str
    decision: str = ""
    undo_url: str = ""


@dataclass(frozen=True)
class DoubtedPage:
    """A page of doubted labels, the most doubtful first."""

    title: str
    note: str
    cards: tuple[DoubtedCard, ...]
    turns: Page[tuple[Image, int, int]]
    pages: str
    decided: DoubtedCard | None


Doubt = tuple[Image, int, int]  # with the ids of its label and of what networks take it for


def doubted_page(*, project: Project, turn: str, decided_id: int | None) -> DoubtedPage:
    """What waits for a word; four queries, and three more about the one just decided."""
    found = LabelDoubts.objects.filter(project=project).select_related("model_version").first()
    standing = _standing(found) if found else []
    turns = Paginator(standing, A_PAGE).get_page(turn)
    return DoubtedPage(
        title=_title(found, len(standing)),
        note=_note(found),
        cards=_cards(project, found, list(turns)) if found else (),
        turns=turns,
        pages=_("Page %(page)s of %(pages)s")
        % {"page": number(turns.number), "pages": number(turns.paginator.num_pages)},
        decided=doubted_card(project=project, image_id=decided_id) if decided_id else None,
    )


def doubted_title(*, project: Project) -> str:
    """How many labels wait, in words."""
    found = LabelDoubts.objects.filter(project=project).first()
    return _title(found, len(_standing(found)) if found else 0)


def doubted_card(*, project: Project, image_id: int) -> DoubtedCard | None:
    """One picture with what was decided; None where no label of it was doubted."""
    found = LabelDoubts.objects.filter(project=project).first()
    image = image_of(project=project, image_id=image_id)
    if found is None or image is None:
        return None
    named = [(image, label, likely) for pk, label, likely, _d in found.entries if pk == image.pk]
    if not named:
        return None
    [card] = _cards(project, found, named)
    decision, undo_url = _decision(project, image)
    return replace(card, decision=decision, undo_url=undo_url)


def _title(found: LabelDoubts | None, waiting: int) -> str:
    if found is None:
        return _("No labels were looked at yet")
    if not waiting:
        return _("No label is doubted")
    return ngettext(
        "%(n)s settled label is likely wrong", "%(n)s settled labels are likely wrong", waiting
    ) % {"n": number(waiting)}


def _note(found: LabelDoubts | None) -> str:
    if found is None:
        return _(
            "When a version has ranked every picture, each settled label is held against networks "
            "that did not learn it, and those they doubt come here."
        )
    return _(
        "Of %(labels)s labels that votes or Gold settle, these are the ones that networks of "
        "%(version)s doubt most, which did not learn them. Keep the label, or say what the picture "
        "shows: either makes it Gold by your word. The most doubtful come first."
    ) % {"labels": number(found.labels), "version": found.model_version}


def _standing(found: LabelDoubts) -> list[Doubt]:
    """Those of the list that nobody has decided on since, and whose label is still the same."""
    images = {
        image.pk: image
        for image in Image.objects.filter(
            pk__in=[entry[0] for entry in found.entries],
            status=Image.Status.ACTIVE,
            example__isnull=True,
            consensus__settled=True,
        )
        .exclude(gold__source__in=CERTAIN_BY_EYE)
        .exclude(candidate__priority=AGAIN)
        .select_related("gold", "consensus")
    }
    return [
        (images[pk], label, likely)
        for pk, label, likely, _doubt in found.entries
        if pk in images and images[pk].consensus.label_class_id == label
    ]


def _cards(
    project: Project, found: LabelDoubts, doubts: Sequence[Doubt]
) -> tuple[DoubtedCard, ...]:
    rows = Prediction.objects.filter(
        model_version=found.model_version_id, image__in=[image.pk for image, *_rest in doubts]
    )
    priors = {
        image: np.frombuffer(bytes(prior), "<f4")
        for image, prior in rows.values_list("image_id", "prior")
    }
    places = {pk: place for place, pk in enumerate(found.model_version.label_classes)}
    return tuple(
        _card(
            project,
            image,
            {
                pk: float(priors[image.pk][places[pk]]) if image.pk in priors else 0.0
                for pk in (label, likely)
            },
        )
        for image, label, likely in doubts
    )


def _card(project: Project, image: Image, shares: dict[int, float]) -> DoubtedCard:
    """``shares`` are the networks', of the label and then of what they take the picture for."""
    here, classes = [project.slug, image.pk], catalogue(project)
    gold: Gold | None = getattr(image, "gold", None)
    verbs = ("mark_gold", "mark_gold") if gold is None else ("confirm_gold", "correct_gold")
    roles = (_("the label"), _("the networks"))
    entries = [classes.entry(pk) for pk in shares]
    return DoubtedCard(
        image_id=image.pk,
        name=image.name,
        small=is_small(image),
        url=reverse("dashboard:image", args=here),
        picture_url=reverse("dashboard:tile", args=here),
        source=_source(image, gold),
        words=tuple(
            Word(
                id=entry.id,
                name=entry.name,
                series=series_of(entry),
                key=str(place + 1),
                role=roles[place],
                share=percent(shares[entry.id]),
                width=f"{100 * shares[entry.id]:.1f}%",
                url=reverse(f"dashboard:{verbs[place]}", args=here),
            )
            for place, entry in enumerate(entries)
        ),
        ask_url=reverse("dashboard:ask_again", args=here) if gold is None else "",
        exclude_url=reverse("dashboard:exclude", args=here),
    )


def _source(image: Image, gold: Gold | None) -> str:
    """Whose word the label is."""
    if gold is not None:
        return _("Gold, as %(who)s says") % {"who": gold.get_source_display()}
    people = image.consensus.humans
    return ngettext("%(n)s person", "%(n)s people", people) % {"n": number(people)}


def _decision(project: Project, image: Image) -> tuple[str, str]:
    """What was decided of an image, and the address that undoes it, where it can be undone."""
    if image.status == Image.Status.EXCLUDED:
        return _("Excluded"), reverse("dashboard:keep", args=[project.slug, image.pk])
    gold: Gold | None = getattr(image, "gold", None)
    if gold is not None and gold.source in CERTAIN_BY_EYE:
        return _("Gold: %(name)s") % {"name": gold.label_class.name}, ""
    if Candidate.objects.filter(image=image, priority=AGAIN).exists():
        return _("Asked again"), ""
    return "", ""
