"""How right labels are that count as known, by people who were asked about them again.

A Check is an image drawn at random from those that are settled, or from all where its label is
nearly as sure: so levels are measured at which nothing settles yet. What its answers judge is the
label that today's network and today's idea of people make of what was said before it was asked:
labels of the first hour were worse, and are no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
from django.db.models import BooleanField, Case, Count, Sum, When
from django.db.models.expressions import RawSQL

from labelhub.challenges.models import Challenge, Tile
from labelhub.projects.models import Image, Project
from labelhub.votes.aggregation import VoteTable, evidence, weighed
from labelhub.votes.arrays import Bools, Floats, Ints
from labelhub.votes.consensus import humans_of
from labelhub.votes.models import Consensus, Vote
from labelhub.votes.parameters import AnnotatorModel, latest_model
from labelhub.votes.settled_error import (
    CERTAIN,
    Heard,
    Trait,
    WrongShare,
    heard,
    weights_of,
    wrong_share,
)

LEVELS = (0.95, 0.98, 0.995)
LATEST = 1000  # Checks that are read
FEWEST = 20  # answers, below which no share is told
MOST_SPOKEN_FOR = 3.0  # times the usual number of labels, by one answer in its band of confidence
UNTOLD = 0.02  # of the labels, the most that may lie in bands where an answer speaks for more

# Written out: a partial index serves only a query that says its condition.
_is_check = RawSQL("challenges_tile.reason = 'check'", (), output_field=BooleanField())


@dataclass(frozen=True)
class LevelError:
    """What is known of the labels of at least this confidence; Gold is not among them.

    ``claimed`` is the wrong share by their own probabilities, ``wrong`` the one by people's
    answers; None where there are no labels, or too few answers.
    """

    level: float
    settles: bool  # it is the project's threshold
    images: int
    claimed: float | None
    answered: int  # images that people were asked about again
    wrong: WrongShare | None


class _AskedAgain(NamedTuple):
    """An image that was asked about again."""

    image_id: int
    asked_at: datetime
    challenge: str
    gold: int | None  # LabelClass id, where it was declared meanwhile
    prior: bytes  # as its Consensus holds it


@dataclass(frozen=True)
class _Answers:
    """What people said of n labels that they were asked about again."""

    label: Ints  # (n,) place of the label in every vector
    band: Ints  # (n,) number of the highest level that it reaches
    heard: Heard


_NONE = _Answers(
    np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), Heard(*np.zeros((2, 1, 0)))
)


def settled_error(*, project: Project) -> tuple[LevelError, ...]:
    """The wrong share of the labels of each level, the project's own threshold among the levels.

    A level holds what would be settled if it were the threshold. Four queries; empty in a project
    that has not begun.
    """
    model = latest_model(project=project)
    if model is None:
        return ()
    levels = sorted({*LEVELS, project.settle_threshold})
    images, confidence = _labels(project, model, levels)
    asked = _asked_again(project)
    answers = _answers(project, asked, model, levels) if asked else _NONE
    return tuple(
        LevelError(
            level=level,
            settles=level == project.settle_threshold,
            images=int(images[:, place:].sum()),
            claimed=_claimed(images[:, place:], confidence[:, place:]),
            answered=int((answers.band >= place).sum()),
            wrong=_wrong(images, answers, place),
        )
        for place, level in enumerate(levels)
    )


def _labels(
    project: Project, model: AnnotatorModel, levels: Sequence[float]
) -> tuple[Floats, Floats]:
    """(K, bands) how many labels there are by class and band, and their summed confidence."""
    bands = [When(confidence__gte=level, then=place) for place, level in enumerate(levels)]
    rows = (
        Consensus.objects.filter(
            project=project,
            confidence__gte=levels[0],
            humans__gte=project.min_humans,
            image__status=Image.Status.ACTIVE,
            image__gold__isnull=True,
        )
        .annotate(band=Case(*reversed(bands)))
        .values_list("label_class", "band")
        .annotate(images=Count("id"), sure=Sum("confidence"))
        .order_by()
    )
    images, confidence = np.zeros((2, model.classes, len(levels)))
    for label_class, band, count, sure in rows:
        images[model.index(label_class), band] = count
        confidence[model.index(label_class), band] = sure
    return images, confidence


def _claimed(images: Floats, confidence: Floats) -> float | None:
    count = images.sum()
    return float(max(0.0, 1 - confidence.sum() / count)) if count else None


def _asked_again(project: Project) -> list[_AskedAgain]:
    """The latest time that each image was drawn for a Check and answered."""
    rows = (
        Tile.objects.filter(
            _is_check,
            numbers__has_key="label",  # the Checks that follow a contradiction are not drawn
            challenge__project=project,
            challenge__state=Challenge.State.ANSWERED,
            image__status=Image.Status.ACTIVE,
            image__consensus__isnull=False,
        )
        .order_by("-id")
        .values_list(
            "image_id",
            "challenge__issued_at",
            "challenge__public_id",
            "image__gold__label_class_id",
            "image__consensus__prior",
        )[:LATEST]
    )
    found: dict[int, _AskedAgain] = {}
    for image_id, asked_at, challenge, gold, prior in rows:
        again = _AskedAgain(image_id, asked_at, challenge, gold, bytes(prior))
        found.setdefault(image_id, again)
    return list(found.values())


def _answers(
    project: Project,
    asked: Sequence[_AskedAgain],
    model: AnnotatorModel,
    levels: Sequence[float],
) -> _Answers:
    """What was said of the labels from then on.

    Left out are those of which nobody's word tells anything, and labels of no level. Gold declared
    meanwhile is the last word.
    """
    votes, again, answered = _votes(asked, model)
    before = votes.only(~again)
    beliefs = weighed(
        model.priors([one.prior for one in asked]),
        evidence(before, len(asked), model.crowd),
    )
    enough = humans_of(before, len(asked), model) >= project.min_humans
    label = beliefs.argmax(axis=1)
    band = np.searchsorted(levels, beliefs.max(axis=1), side="right") - 1
    known = np.zeros_like(beliefs)
    for place, one in enumerate(asked):
        if one.gold is not None:
            known[place, model.index(one.gold)] = 2 * CERTAIN
    later = votes.only(again)
    said = evidence(later, len(asked), model.crowd) + known
    told = np.flatnonzero(answered & enough & (band >= 0) & (np.ptp(said, axis=1) > 0))
    answers = heard(later, label, beliefs, model.crowd, known).only(told)
    return _Answers(label[told], band[told], answers)


def _votes(asked: Sequence[_AskedAgain], model: AnnotatorModel) -> tuple[VoteTable, Bools, Bools]:
    """The standing votes on the images; which came when they were asked about again, or later; and
    (n,) whether the Check itself was answered."""
    place_of = {one.image_id: place for place, one in enumerate(asked)}
    answered = np.zeros(len(asked), dtype=bool)
    columns, again = [], []
    rows = Vote.objects.filter(image_id__in=place_of, retraction__isnull=True).values_list(
        "image_id", "challenge", "cast_at", "annotator_id", "label_class_id", "answer", "kind"
    )
    for image_id, challenge, cast_at, annotator, label_class, answer, kind in rows:
        place = place_of[image_id]
        answered[place] |= challenge == asked[place].challenge
        again.append(cast_at >= asked[place].asked_at)
        is_choice = kind == Vote.Kind.CHOICE
        columns.append((place, annotator, model.index(label_class), answer, is_choice))
    if not columns:
        return VoteTable.empty(), np.zeros(0, dtype=bool), answered
    return VoteTable(*map(np.array, zip(*columns, strict=True))), np.array(again), answered


def _wrong(images: Floats, answers: _Answers, place: int) -> WrongShare | None:
    """The wrong share from a band on; None while too little was answered, or not of all bands."""
    held = answers.band >= place
    band, label = answers.band[held] - place, answers.label[held]
    of_class, of_band = images[:, place:].sum(axis=1), images[:, place:].sum(axis=0)
    if len(band) < FEWEST or not of_band.any():
        return None
    spoken_for = np.bincount(band, minlength=len(of_band)) * MOST_SPOKEN_FOR / len(band)
    shares = of_band / of_band.sum()
    if shares[shares > spoken_for].sum() > UNTOLD:
        return None
    weights = weights_of([Trait(label, of_class), Trait(band, of_band)], len(band))
    return wrong_share(answers.heard.only(np.flatnonzero(held)), weights)
