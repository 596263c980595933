"""Writes of Votes and Consensus. Votes are appended; a Consensus is computed anew from the rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat

from django.db import transaction

from labelhub.annotators.models import Annotator
from labelhub.projects.models import Project
from labelhub.projects.rows import insert_rows, update_rows, upsert_rows
from labelhub.votes.arrays import stored
from labelhub.votes.consensus import (
    Basis,
    ConsensusBatch,
    UnknownImage,
    compute,
    standing_states,
    states_on,
)
from labelhub.votes.models import Consensus, Retraction, Vote
from labelhub.votes.parameters import first_parameters

CAST = (
    "project",
    "annotator",
    "image",
    "label_class",
    "kind",
    "answer",
    "challenge",
    "revision",
    "cast_at",
)
COMPUTED = (
    "probabilities",
    "label_class",
    "confidence",
    "entropy",
    "humans",
    "settled",
    "updated_at",
)
GIVEN = ("project", "parameters", "model_version", "prior")


@dataclass(frozen=True)
class NewVote:
    """One word on one image, before it is a row."""

    image_id: int
    label_class_id: int
    answer: bool
    kind: Vote.Kind = Vote.Kind.YES_NO


def record_votes(
    *,
    project: Project,
    annotator: Annotator,
    votes: Sequence[NewVote],
    challenge: str,
    now: datetime,
) -> ConsensusBatch:
    """Append the votes and bring the Consensus of their images up to date; one transaction.

    Raises IntegrityError when the annotator has a standing vote on one of these images and classes,
    UnknownImage or UnknownClass when the project does not have one of them; a transaction around
    this one is then to be given up too.
    """
    with transaction.atomic(savepoint=False):
        insert_rows(
            Vote,
            CAST,
            [
                (
                    project.pk,
                    annotator.pk,
                    vote.image_id,
                    vote.label_class_id,
                    vote.kind,
                    vote.answer,
                    challenge,
                    0,
                    now,
                )
                for vote in votes
            ],
        )
        batch = refresh_consensus(images=[vote.image_id for vote in votes], now=now)
        _require_own(project, votes, batch)
        return batch


def _require_own(project: Project, votes: Sequence[NewVote], batch: ConsensusBatch) -> None:
    """Raises UnknownImage for a vote on an image that is not one of the project's."""
    own = {state.image_id for state in batch.states if state.project_id == project.pk}
    for vote in votes:
        if vote.image_id not in own:
            raise UnknownImage(f"{project.name} has no image {vote.image_id} to vote on")


def retract_votes(
    *, votes: Iterable[Vote], reason: str, retracted_by_id: int | None, now: datetime
) -> list[int]:
    """Take votes back by appending rows; the Consensus forgets them. Gives the images touched."""
    with transaction.atomic():
        standing = [vote for vote in votes if not Retraction.objects.filter(vote=vote).exists()]
        Retraction.objects.bulk_create(
            Retraction(vote=vote, reason=reason, retracted_by_id=retracted_by_id, retracted_at=now)
            for vote in standing
        )
        images = sorted({vote.image_id for vote in standing})
        if images:
            refresh_consensus(images=images, now=now)
    return images


def start_consensus(*, project: Project, images: Sequence[int], now: datetime) -> ConsensusBatch:
    """The first Consensus of new images: a uniform prior, or their Gold."""
    basis = Basis(first_parameters(project=project, now=now), None, {})
    return refresh_consensus(images=images, now=now, basis=basis)


def refresh_consensus(
    *, images: Sequence[int], now: datetime, basis: Basis | None = None
) -> ConsensusBatch:
    """Compute the Consensus of images of one project anew from the vote rows, and write it.

    With ``basis`` the rows change what they rest on; without, each keeps its prior and parameters
    (three queries). Votes are read inside the transaction, after the rows are locked.
    """
    ordered = sorted(set(images))
    with transaction.atomic(savepoint=False):
        states = standing_states(ordered) if basis is None else states_on(basis, ordered)
        batch = compute(states)
        computed = _computed(batch, now)
        if basis is None:
            update_rows(Consensus, (*COMPUTED, "image"), computed)
        else:
            given = [
                (state.project_id, state.model.id, state.model_version, state.prior)
                for state in batch.states
            ]
            rows = [(*left, *right) for left, right in zip(given, computed, strict=True)]
            names = (*GIVEN, *COMPUTED, "image")
            upsert_rows(Consensus, names, rows, key=("image",), for_life=("project",))
    return batch


def _computed(batch: ConsensusBatch, now: datetime) -> list[tuple[object, ...]]:
    """The columns COMPUTED of each image, and the image."""
    p, classes = batch.probabilities, batch.model.label_classes
    return list(
        zip(
            stored(p, "<f8"),
            [classes[best] for best in p.argmax(axis=1).tolist()],
            p.max(axis=1).tolist(),
            batch.entropies.tolist(),
            batch.humans,
            batch.settled,
            repeat(now),
            [state.image_id for state in batch.states],
            strict=False,  # the same moment for all
        )
    )
