"""The Consensus of some images, computed from their rows: what it rests on, and the arithmetic."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from django.db import connection

from labelhub.projects.models import Image
from labelhub.projects.prepared import PreparedSelect
from labelhub.votes import aggregation
from labelhub.votes.aggregation import VoteTable
from labelhub.votes.arrays import Floats, Ints
from labelhub.votes.models import Consensus, Vote
from labelhub.votes.parameters import AnnotatorModel, annotator_model


class MixedParameters(ValueError):
    """Images of one refresh rest on Parameters over different classes."""


class UnknownImage(ValueError):
    """A vote is on an image that its project does not have, or that has no Consensus yet."""


class UnknownClass(ValueError):
    """A vote names a class that the Parameters of its image do not have."""


@dataclass(frozen=True)
class Basis:
    """What a consensus rests on besides votes: an annotator model and the network's priors."""

    model: AnnotatorModel
    model_version: int | None
    priors: Mapping[int, bytes]  # image id -> (K,) little-endian float32; missing means uniform


class ImageState(NamedTuple):
    """One image and what its consensus rests on, before its votes are counted."""

    image_id: int
    project_id: int
    model: AnnotatorModel
    model_version: int | None
    prior: bytes
    gold: int | None  # LabelClass id
    holdout: bool
    threshold: float
    min_humans: int


@dataclass(frozen=True)
class ConsensusBatch:
    """The consensus of n images over K classes, as arrays.

    ``probabilities`` is what votes and network say together. ``told`` is what the votes alone say:
    the truth that a network is measured on must not have heard one.
    """

    states: Sequence[ImageState]
    probabilities: Floats  # (n, K)
    told: Floats  # (n, K)
    priors: Floats  # (n, K)
    humans: Sequence[int]

    @cached_property
    def entropies(self) -> Floats:
        """(n,) of the probabilities, in nats."""
        return aggregation.entropy(self.probabilities)

    @cached_property
    def settled(self) -> list[bool]:
        """Known for certain, or sure enough with enough people behind it."""
        return self._sure(self.probabilities)

    @cached_property
    def told_enough(self) -> list[bool]:
        """Settled by Gold or votes alone: fit to measure a network on."""
        return self._sure(self.told)

    def _sure(self, p: Floats) -> list[bool]:
        return [
            state.gold is not None or (sure >= state.threshold and humans >= state.min_humans)
            for state, sure, humans in zip(
                self.states, p.max(axis=1).tolist(), self.humans, strict=True
            )
        ]

    @property
    def model(self) -> AnnotatorModel:
        """The annotator model of the batch."""
        return self.states[0].model


_locked = PreparedSelect(
    lambda images: (
        Consensus.objects.select_for_update()
        .filter(image_id__in=images)
        .order_by("image_id")
        .values_list("id")
    )
)
_standing = PreparedSelect(
    lambda images: (
        Consensus.objects.filter(image_id__in=images)
        .order_by("image_id")
        .values_list(
            "id",
            "image_id",
            "project_id",
            "prior",
            "model_version",
            "parameters_id",
            "parameters__fitted_at",
            "image__gold__label_class_id",
            "image__holdout",
            "project__settle_threshold",
            "project__min_humans",
        )
    )
)
_standing_votes = PreparedSelect(
    lambda images: Vote.objects.filter(image_id__in=images, retraction__isnull=True).values_list(
        "image_id", "label_class_id", "answer", "kind", "annotator_id"
    )
)


_imaged = PreparedSelect(
    lambda images: (
        Image.objects.filter(pk__in=images)
        .order_by("pk")
        .values_list(
            "pk",
            "project_id",
            "holdout",
            "gold__label_class_id",
            "project__settle_threshold",
            "project__min_humans",
        )
    )
)


def _lock(images: Sequence[int]) -> None:
    """Hold the rows before anything is read from them or from what they name: PostgreSQL leaves a
    row out of a locking join when a promotion changed its Parameters while the lock was waited for.
    SQLite has one writer at a time and no such locks."""
    if connection.features.has_select_for_update:
        _locked.rows(images=list(images))


def standing_states(images: Sequence[int]) -> list[ImageState]:
    """What the Consensus rows rest on now; locked until the transaction ends, in id order."""
    _lock(images)
    return [
        ImageState(
            image_id=image_id,
            project_id=project_id,
            model=annotator_model(parameters_id, fitted_at),
            model_version=model_version,
            prior=bytes(prior),
            gold=gold,
            holdout=holdout,
            threshold=threshold,
            min_humans=min_humans,
        )
        for (
            _,
            image_id,
            project_id,
            prior,
            model_version,
            parameters_id,
            fitted_at,
            gold,
            holdout,
            threshold,
            min_humans,
        ) in _standing.rows(images=list(images))
    ]


def states_on(basis: Basis, images: Sequence[int]) -> list[ImageState]:
    """The images resting on a new basis; existing Consensus rows are locked first."""
    _lock(images)
    return [
        ImageState(
            image_id=image_id,
            project_id=project_id,
            model=basis.model,
            model_version=basis.model_version,
            prior=basis.priors.get(image_id, b""),
            gold=gold,
            holdout=holdout,
            threshold=threshold,
            min_humans=min_humans,
        )
        for image_id, project_id, holdout, gold, threshold, min_humans in _imaged.rows(
            images=list(images)
        )
    ]


def compute(states: Sequence[ImageState]) -> ConsensusBatch:
    """Read the standing votes and do the arithmetic.

    Raises UnknownImage without any state, UnknownClass, MixedParameters.
    """
    if not states:
        raise UnknownImage("none of these images has a Consensus")
    model = states[0].model
    if any(state.model.id != model.id for state in states):
        # A promotion is rewriting rows right now: each image by the parameters that it names.
        return _joined([compute(group) for group in _by_model(states)], states)
    votes, humans = votes_of([state.image_id for state in states], model)
    said = aggregation.evidence(votes, len(states), model.crowd)
    priors = model.priors([state.prior for state in states])
    probabilities = aggregation.weighed(priors, said)
    told = aggregation.weighed(np.full_like(priors, 1 / model.classes), said)
    for place, state in enumerate(states):
        if state.gold is not None:
            certain = np.zeros(model.classes)
            certain[model.index(state.gold)] = 1.0
            probabilities[place] = told[place] = certain
    return ConsensusBatch(states, probabilities, told, priors, humans)


def votes_of(images: Sequence[int], model: AnnotatorModel) -> tuple[VoteTable, list[int]]:
    """The standing votes of images as columns, and how many people whose votes count cast them.

    Raises UnknownClass.
    """
    place = {image_id: number for number, image_id in enumerate(images)}
    index = {label_class: number for number, label_class in enumerate(model.label_classes)}
    try:
        rows = [
            (place[image_id], annotator_id, index[label_class_id], answer, kind == Vote.Kind.CHOICE)
            for image_id, label_class_id, answer, kind, annotator_id in _standing_votes.rows(
                images=list(images)
            )
        ]
    except KeyError as error:
        raise UnknownClass(f"a vote names class {error}, which its image's project lacks") from None
    if not rows:
        return VoteTable.empty(), [0] * len(images)
    votes = VoteTable(*(np.array(column) for column in zip(*rows, strict=True)))
    return votes, humans_of(votes, len(images), model).tolist()


def humans_of(votes: VoteTable, images: int, model: AnnotatorModel) -> Ints:
    """(images,) people with a vote that counts."""
    counts = model.crowd.skills.of(votes.annotator).counts
    pairs = np.unique(np.stack([votes.image[counts], votes.annotator[counts]]), axis=1)
    return np.bincount(pairs[0].astype(np.int64), minlength=images)


def _by_model(states: Sequence[ImageState]) -> list[list[ImageState]]:
    groups: dict[int, list[ImageState]] = defaultdict(list)
    for state in states:
        groups[state.model.id].append(state)
    return list(groups.values())


def _joined(parts: Sequence[ConsensusBatch], states: Sequence[ImageState]) -> ConsensusBatch:
    """Batches on different Parameters as one, in the order of ``states``."""
    if len({part.model.label_classes for part in parts}) > 1:
        raise MixedParameters("these images rest on parameters over different classes")
    place_of = {state.image_id: place for place, state in enumerate(states)}
    order = np.argsort([place_of[state.image_id] for part in parts for state in part.states])
    probabilities, told, priors = (
        np.concatenate([getattr(part, name) for part in parts])[order]
        for name in ("probabilities", "told", "priors")
    )
    humans = [count for part in parts for count in part.humans]
    return ConsensusBatch(
        states, probabilities, told, priors, [humans[place] for place in order.tolist()]
    )
