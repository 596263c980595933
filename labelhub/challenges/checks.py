"""How right labels are that count as known, by people who were asked about them again.

Checks are settled images, asked again at random. What is drawn at random from all images serves as
well where its label was sure: so levels of confidence are measured at which nothing settles yet.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from django.db.models import BooleanField, Case, Count, QuerySet, Sum, When
from django.db.models.expressions import RawSQL

from labelhub.challenges.models import Challenge, Tile
from labelhub.projects.models import Image, Project
from labelhub.votes.aggregation import VoteTable, evidence
from labelhub.votes.arrays import Floats, Ints
from labelhub.votes.models import Consensus, Vote
from labelhub.votes.parameters import AnnotatorModel, latest_model
from labelhub.votes.settled_error import (
    CERTAIN,
    Trait,
    WrongShare,
    odds_of_wrong,
    weights_of,
    wrong_share,
)

LEVELS = (0.95, 0.98, 0.995)
LATEST = 2000  # tiles that are read: older ones measured the labels of older networks
FEWEST = 20  # answers, below which no share is told
UNTOLD = 0.02  # of the labels, the most that may lie in bands without any answer

# Written out: a partial index serves only a query that says its condition.
_measuring = RawSQL(
    "challenges_tile.reason IN ('check', 'random')", (), output_field=BooleanField()
)


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
    """An image that was asked about again, and the label that it had."""

    image_id: int
    label: int  # LabelClass id
    confidence: float
    asked_at: datetime
    challenge: str
    gold: int | None  # LabelClass id, where it was declared meanwhile


@dataclass(frozen=True)
class _Answers:
    """What people said of n images that they were asked about again."""

    label: Ints  # (n,) place of the label in every vector
    band: Ints  # (n,) number of the highest level that it reached
    odds: Floats  # (n,) of its being wrong


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
    answers = _answers(_asked_again(project, levels[0]), model, levels)
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


def _asked_again(project: Project, least: float) -> list[_AskedAgain]:
    """The latest time that each image was asked about again, with the label that it had then."""
    rows = (
        Tile.objects.filter(
            _measuring,
            challenge__project=project,
            challenge__state=Challenge.State.ANSWERED,
            image__status=Image.Status.ACTIVE,
        )
        .order_by("-id")
        .values_list(
            "image_id",
            "numbers",
            "challenge__issued_at",
            "challenge__public_id",
            "image__gold__label_class_id",
        )[:LATEST]
    )
    found: dict[int, _AskedAgain] = {}
    for image_id, numbers, asked_at, challenge, gold in rows:
        people = numbers.get("humans", -1)
        if people >= project.min_humans and numbers["confidence"] >= least:
            label, confidence = numbers["label"], numbers["confidence"]
            again = _AskedAgain(image_id, label, confidence, asked_at, challenge, gold)
            found.setdefault(image_id, again)
    return list(found.values())


def _answers(
    asked: Sequence[_AskedAgain], model: AnnotatorModel, levels: Sequence[float]
) -> _Answers:
    """What was said of them from then on; those are left out that nobody's word tells anything of.

    Gold declared meanwhile is the last word.
    """
    place_of = {one.image_id: place for place, one in enumerate(asked)}
    answered = np.zeros(len(asked), dtype=bool)
    columns = []
    for image_id, challenge, cast_at, annotator, label_class, answer, kind in _votes_on(place_of):
        place = place_of[image_id]
        if cast_at < asked[place].asked_at:
            continue
        answered[place] |= challenge == asked[place].challenge
        is_choice = kind == Vote.Kind.CHOICE
        columns.append((place, annotator, model.index(label_class), answer, is_choice))
    votes = VoteTable(*map(np.array, zip(*columns, strict=True))) if columns else VoteTable.empty()
    said = evidence(votes, len(asked), model.crowd)
    for place, one in enumerate(asked):
        if one.gold is not None:
            said[place, model.index(one.gold)] += 2 * CERTAIN
    told = answered & (np.ptp(said, axis=1) > 0)
    label = np.array([model.index(one.label) for one in asked], dtype=np.int64)
    confidence = np.array([one.confidence for one in asked])
    band = np.searchsorted(levels, confidence, side="right") - 1
    return _Answers(label[told], band[told], odds_of_wrong(said[told], label[told]))


def _votes_on(images: Collection[int]) -> QuerySet[Vote, tuple[Any, ...]]:
    standing = Vote.objects.filter(image_id__in=images, retraction__isnull=True)
    return standing.values_list(
        "image_id", "challenge", "cast_at", "annotator_id", "label_class_id", "answer", "kind"
    )


def _wrong(images: Floats, answers: _Answers, place: int) -> WrongShare | None:
    """The wrong share from a band on; None while too little was answered, or not of all bands."""
    held = answers.band >= place
    band, label = answers.band[held] - place, answers.label[held]
    of_class, of_band = images[:, place:].sum(axis=1), images[:, place:].sum(axis=0)
    untold = of_band[np.bincount(band, minlength=len(of_band)) == 0].sum()
    if len(band) < FEWEST or not of_band.any() or untold > UNTOLD * of_band.sum():
        return None
    weights = weights_of([Trait(label, of_class), Trait(band, of_band)], len(band))
    return wrong_share(answers.odds[held], weights)
