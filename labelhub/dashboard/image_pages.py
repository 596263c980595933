"""Pictures as admins look at them: the gallery of those in doubt, and the page of one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labelhub.challenges.models import Report
from labelhub.dashboard.balance import series_of
from labelhub.dashboard.image_selectors import VOTES_SHOWN, Doubt, KnownImage, by_probability
from labelhub.dashboard.wording import Moment, ago, number, percent
from labelhub.projects.models import Image, Project
from labelhub.projects.selectors import Catalogue, catalogue
from labelhub.rounds.models import ModelVersion, Prediction
from labelhub.votes.models import Consensus, Vote

REASONS = 2  # classes named under a picture
NEAR_EQUAL = 0.001
SMALL_EDGE = 64  # smaller pictures are shown with their pixels


@dataclass(frozen=True)
class Thumb:
    """A picture of the gallery with the reason for its being there."""

    url: str
    picture_url: str
    name: str
    reason: str


@dataclass(frozen=True)
class Gallery:
    """The pictures in doubt."""

    title: str
    note: str
    thumbs: tuple[Thumb, ...]


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
    """All that is known of one picture, and whether it may become Gold."""

    name: str
    size: str
    picture_url: str
    small: bool
    badges: tuple[tuple[str, str], ...]  # words and tone
    summary: str
    model: str
    rows: tuple[ProbabilityRow, ...]
    votes: tuple[VoteRow, ...]
    votes_note: str
    gold_url: str
    gold_words: str  # why there is no form, or what Gold does
    gold_choices: tuple[tuple[int, str, str], ...]  # id, name, colour; empty: no form
    gold_class: int  # the class it is Gold of; 0: not Gold
    take_back_url: str
    excluded: bool
    reported: str  # what people say is wrong with it; empty: nobody says so
    exclude_url: str
    keep_url: str
    log: tuple[LogRow, ...]


def gallery(*, project: Project, doubts: Sequence[Doubt], serving: ModelVersion | None) -> Gallery:
    """The pictures in doubt, the most doubtful first."""
    classes = catalogue(project)
    count = len(doubts)
    if not doubts:
        title = _("No picture is in doubt")
    elif serving is not None:
        title = ngettext(
            "The picture that the network is least sure of",
            "The %(n)s pictures that the network is least sure of",
            count,
        ) % {"n": number(count)}
    else:
        title = ngettext(
            "The picture that needs an answer most",
            "The %(n)s pictures that need an answer most",
            count,
        ) % {"n": number(count)}
    return Gallery(
        title=title,
        note=_("They are asked first. Open one to see its votes or to mark it as Gold."),
        thumbs=tuple(
            Thumb(
                url=reverse("dashboard:image", args=[project.slug, doubt.image_id]),
                picture_url=reverse("dashboard:tile", args=[project.slug, doubt.image_id]),
                name=doubt.name,
                reason=reason_words(doubt.probabilities, classes),
            )
            for doubt in doubts
        ),
    )


def reason_words(probabilities: Sequence[tuple[int, float]], classes: Catalogue) -> str:
    """Between which classes an image stands: "circle 41 %, ring 38 %"."""
    if probabilities[0][1] - probabilities[-1][1] < NEAR_EQUAL:
        return _("nothing known yet")
    return ", ".join(
        f"{classes.entry(label_class).name} {percent(share)}"
        for label_class, share in probabilities[:REASONS]
    )


def image_page(*, project: Project, known: KnownImage, now: datetime) -> ImagePage:
    """The page of one picture."""
    image, classes = known.image, catalogue(project)
    consensus: Consensus | None = getattr(image, "consensus", None)
    is_gold, here = hasattr(image, "gold"), [project.slug, image.pk]
    refusal = "" if is_gold else why_not_gold(image)
    return ImagePage(
        name=image.name,
        size=f"{number(image.width)} × {number(image.height)}",
        picture_url=reverse("dashboard:picture", args=[project.slug, image.pk]),
        small=max(image.width, image.height) <= SMALL_EDGE,
        badges=tuple(_badges(image, consensus)),
        summary=_summary(consensus, classes),
        model=_("the network, version %(number)s")
        % {"number": number(known.prediction.model_version.number)}
        if known.prediction
        else "",
        rows=_probability_rows(consensus, known.prediction, classes),
        votes=tuple(_vote_row(vote, now) for vote in known.votes),
        votes_note=_("Only the first %(number)s are shown.") % {"number": number(VOTES_SHOWN)}
        if len(known.votes) == VOTES_SHOWN
        else "",
        gold_url=reverse("dashboard:correct_gold" if is_gold else "dashboard:mark_gold", args=here),
        gold_words=gold_words(image)
        if is_gold
        else refusal
        or _(
            "Gold is certain: it teaches the network, and it grades people from the next grid on."
        ),
        gold_choices=()
        if refusal
        else tuple((entry.id, entry.name, series_of(entry)) for entry in classes.entries),
        gold_class=image.gold.label_class_id if is_gold else 0,
        take_back_url=reverse("dashboard:take_back_gold", args=here),
        excluded=image.status == Image.Status.EXCLUDED,
        reported=report_words(known.reports),
        exclude_url=reverse("dashboard:exclude", args=here),
        keep_url=reverse("dashboard:keep", args=here),
        log=tuple(
            LogRow(str(row.user), row.get_change_message(), ago(row.action_time, now))
            for row in known.log
        ),
    )


def report_words(reasons: Sequence[str]) -> str:
    """What people say of a picture: "2 × broken or blank, 1 × not fit to be shown"."""
    labels = dict(Report.Reason.choices)
    return ", ".join(
        f"{number(count)}\u00a0× {labels[reason]}"
        for reason, count in Counter(reasons).most_common()
    )


def why_not_gold(image: Image) -> str:
    """Why an image cannot be marked as Gold; empty where it can."""
    if hasattr(image, "gold"):
        return gold_words(image)
    if hasattr(image, "example"):
        return _(
            "It is shown beside the question as an example of %(name)s, so it grades nobody."
        ) % {"name": image.example.label_class.name}
    if image.status != Image.Status.ACTIVE:
        return _("It is excluded from the project; its class counts for nothing.")
    if not hasattr(image, "consensus"):
        return _("It is still being taken in. Try again in a moment.")
    return ""


def gold_words(image: Image) -> str:
    """Who says what class an image is for certain. The image is Gold."""
    gold = image.gold
    who = str(gold.created_by) if gold.created_by else gold.get_source_display()
    return _("It is Gold of %(name)s, as %(who)s says.") % {
        "name": gold.label_class.name,
        "who": who,
    }


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
    if ranked[0][1] - ranked[-1][1] < NEAR_EQUAL:
        if not consensus.humans:
            return _("Nothing is known of it yet: nobody has answered.")
        return _("Nothing is known of it yet; %(people)s answered.") % {"people": people}
    words = {"reason": reason_words(ranked, classes), "people": people}
    if not consensus.humans and not consensus.settled:
        return _("Nobody has answered; the network says %(reason)s.") % words
    if consensus.settled:
        return _("Settled after %(people)s: %(reason)s.") % words
    return _("Open after %(people)s: %(reason)s.") % words


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
