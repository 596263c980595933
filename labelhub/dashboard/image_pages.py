"""The page of one picture: all that is known of it, and what is left to an admin."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labelhub.dashboard.balance import series_of
from labelhub.dashboard.decisions import FitDecision, GoldDecision, fit_decision, gold_decision
from labelhub.dashboard.galleries import nothing_known, reason_words
from labelhub.dashboard.image_selectors import VOTES_SHOWN, KnownImage, by_probability
from labelhub.dashboard.wording import Moment, ago, number, percent
from labelhub.projects.models import Image, Project
from labelhub.projects.selectors import Catalogue, catalogue
from labelhub.rounds.models import Prediction
from labelhub.votes.models import Consensus, Vote

SMALL_EDGE = 64  # smaller pictures are shown with their pixels


@dataclass(frozen=True)
class ProbabilityRow:
    """A class with what people and network together say, and the network alone."""

    name: str
    series: str
    consensus: str
    consensus_width: str
    network: str
    network_width: str


@dataclass(frozen=True)
class VoteRow:
    """One vote in words."""

    who: str
    words: str
    yes: bool
    when: Moment
    retracted: str


@dataclass(frozen=True)
class LogRow:
    """What an admin did."""

    who: str
    words: str
    when: Moment


@dataclass(frozen=True)
class ImagePage:
    """All that is known of one picture, and what may be decided of it."""

    name: str
    size: str
    picture_url: str
    replay_url: str
    small: bool
    badges: tuple[tuple[str, str], ...]  # words and tone
    summary: str
    model: str
    rows: tuple[ProbabilityRow, ...]
    votes: tuple[VoteRow, ...]
    votes_note: str
    gold: GoldDecision
    fit: FitDecision
    log: tuple[LogRow, ...]


def image_page(*, project: Project, known: KnownImage, now: datetime) -> ImagePage:
    """The page of one picture."""
    image, classes = known.image, catalogue(project)
    consensus: Consensus | None = getattr(image, "consensus", None)
    return ImagePage(
        name=image.name,
        size=f"{number(image.width)} × {number(image.height)}",
        picture_url=reverse("dashboard:picture", args=[project.slug, image.pk]),
        replay_url=f"{reverse('dashboard:replay', args=[project.slug])}?image={image.pk}",
        small=is_small(image),
        badges=tuple(_badges(image, consensus)),
        summary=_summary(consensus, classes),
        model=_model_words(known.prediction),
        rows=_probability_rows(consensus, known.prediction, classes),
        votes=tuple(_vote_row(vote, now) for vote in known.votes),
        votes_note=_votes_note(known.votes),
        gold=gold_decision(project=project, image=image),
        fit=fit_decision(project=project, image=image, reports=known.reports),
        log=tuple(
            LogRow(str(row.user), row.get_change_message(), ago(row.action_time, now))
            for row in known.log
        ),
    )


def is_small(image: Image) -> bool:
    """Whether a picture is shown with its pixels, of which there are few."""
    return max(image.width, image.height) <= SMALL_EDGE


def _badges(image: Image, consensus: Consensus | None) -> list[tuple[str, str]]:
    badges = []
    if hasattr(image, "gold"):
        name = image.gold.label_class.name
        badges.append((_("Gold: %(name)s") % {"name": name}, "accent"))
    if consensus is not None and consensus.settled:
        badges.append((_("settled"), "good"))
    if image.holdout:
        badges.append((_("holdout: never trained on"), ""))
    if hasattr(image, "example"):
        badges.append((_("example"), ""))
    if image.status == Image.Status.EXCLUDED:
        badges.append((_("excluded"), "warn"))
    return badges


def _summary(consensus: Consensus | None, classes: Catalogue) -> str:
    """What the consensus says, and by how many people."""
    if consensus is None:
        return _("Nobody is asked about this picture.")
    people = ngettext("%(n)s person", "%(n)s people", consensus.humans) % {
        "n": number(consensus.humans)
    }
    ranked = _ranked(consensus)
    if nothing_known(ranked):
        if not consensus.humans:
            return _("Nothing is known of it yet: nobody has answered.")
        return _("Nothing is known of it yet; %(people)s answered.") % {"people": people}
    words = {"reason": reason_words(ranked, classes), "people": people}
    if not consensus.humans and not consensus.settled:
        return _("Nobody has answered; the network says %(reason)s.") % words
    if consensus.settled:
        return _("Settled after %(people)s: %(reason)s.") % words
    return _("Open after %(people)s: %(reason)s.") % words


def _model_words(prediction: Prediction | None) -> str:
    """Whose word stands beside the consensus."""
    if prediction is None:
        return ""
    version = number(prediction.model_version.number)
    return _("the network, version %(number)s") % {"number": version}


def _ranked(consensus: Consensus) -> tuple[tuple[int, float], ...]:
    return by_probability(consensus.parameters.label_classes, bytes(consensus.probabilities), "<f8")


def _probability_rows(
    consensus: Consensus | None, prediction: Prediction | None, classes: Catalogue
) -> tuple[ProbabilityRow, ...]:
    """Every class in its order, with both opinions."""
    crowd = dict(_ranked(consensus)) if consensus else {}
    network = (
        dict(
            by_probability(
                prediction.model_version.label_classes, bytes(prediction.probabilities), "<f4"
            )
        )
        if prediction
        else {}
    )
    return tuple(
        ProbabilityRow(
            name=entry.name,
            series=series_of(entry),
            consensus=percent(crowd[entry.id]) if entry.id in crowd else "",
            consensus_width=f"{100 * crowd.get(entry.id, 0):.1f}%",
            network=percent(network[entry.id]) if entry.id in network else "",
            network_width=f"{100 * network.get(entry.id, 0):.1f}%",
        )
        for entry in classes.entries
    )


def _votes_note(votes: Sequence[Vote]) -> str:
    if len(votes) < VOTES_SHOWN:
        return ""
    return _("Only the first %(number)s are shown.") % {"number": number(VOTES_SHOWN)}


def _vote_row(vote: Vote, now: datetime) -> VoteRow:
    retraction = getattr(vote, "retraction", None)
    name = vote.label_class.name
    if vote.kind == Vote.Kind.CHOICE:
        words = _("chose %(name)s") % {"name": name}
    elif vote.answer:
        words = _("yes to %(name)s") % {"name": name}
    else:
        words = _("no to %(name)s") % {"name": name}
    return VoteRow(
        who=str(vote.annotator),
        words=words,
        yes=vote.answer,
        when=ago(vote.cast_at, now),
        retracted=retraction.reason or _("without a reason") if retraction else "",
    )
