"""Writes of Rounds: open, claim, keep the lease, close; promote, refuse.

The row is the truth. A worker holds a Round by a lease in the row and a fence that grows with every
claim: whoever writes with an old fence is refused, so a worker that was thought dead cannot harm.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from labelhub.annotators.services import note_who_counts
from labelhub.projects.models import Image, Project
from labelhub.projects.services import take_turn
from labelhub.rounds import dispatch
from labelhub.rounds.models import ModelVersion, Round
from labelhub.rounds.selectors import (
    latest_round,
    round_is_due,
    serving_version,
    trainable_images,
)
from labelhub.rounds.shards import start_ranking
from labelhub.votes.crowd import Crowd
from labelhub.votes.parameters import new_parameters
from labelhub.votes.questions import Costs

LEASE = timedelta(seconds=30)
MOST_CLAIMS = 5  # of one Round, after which no worker is risked for it any more
FEWEST_LABELS = 10  # images with Gold or votes, outside the holdout


class RoundIsOpen(RuntimeError):
    """The project has a Round under way."""


class TooFewLabels(RuntimeError):
    """There is not enough to learn from; the message says how much is missing."""


class LeaseLost(RuntimeError):
    """Another worker holds the Round now; this one must stop without writing."""


@dataclass(frozen=True)
class Claim:
    """A worker's hold on a Round."""

    round_id: int
    fence: int


@dataclass(frozen=True)
class NewModelVersion:
    """What a training made: files by hash, and what the evaluation found."""

    recipe: str
    config: dict[str, object]
    label_classes: Sequence[int]
    sha256: str
    fold_sha256: Sequence[str]
    temperature: float
    metrics: dict[str, object]
    provisional: bool
    crowd: Crowd  # fitted on the same snapshot
    costs: Costs = field(default_factory=Costs)  # of people's time


def open_round(
    *, project: Project, trigger: Round.Trigger, opened_by_id: int | None, now: datetime
) -> Round:
    """Open a Round and send its work after the commit. Raises RoundIsOpen, TooFewLabels."""
    labelled = trainable_images(project=project)
    if labelled < FEWEST_LABELS:
        raise TooFewLabels(
            f"{labelled} images of {project.name} have Gold or votes; "
            f"a Round needs at least {FEWEST_LABELS}"
        )
    last = latest_round(project=project)
    try:
        with transaction.atomic():
            opened = Round.objects.create(
                project=project,
                number=last.number + 1 if last else 1,
                trigger=trigger,
                opened_by_id=opened_by_id,
                opened_at=now,
                hinted_at=now,
            )
            dispatch.after_commit(dispatch.TRAIN_ROUND, round_id=opened.pk)
    except IntegrityError as error:
        raise RoundIsOpen(f"{project.name} has a Round under way") from error
    return opened


def open_due_rounds(*, now: datetime) -> list[Round]:
    """Open a Round in every active project whose schedule says so; once, however often called."""
    opened = []
    for project in Project.objects.filter(status=Project.Status.ACTIVE):
        if not round_is_due(project=project, now=now):
            continue
        try:
            opened.append(
                open_round(
                    project=project, trigger=Round.Trigger.SCHEDULE, opened_by_id=None, now=now
                )
            )
        except (RoundIsOpen, TooFewLabels):  # another scheduler was first, or nothing to learn
            continue
    return opened


def claim_round(*, round_id: int, worker: str, now: datetime) -> Claim | None:
    """Take hold of an open Round whose lease is free or over; None when there is nothing to do."""
    give_up_rounds(now=now)
    with transaction.atomic():
        claimed = _unheld(now).filter(pk=round_id)
        if not claimed.update(fence=F("fence") + 1, worker=worker, lease_until=now + LEASE):
            return None
        return Claim(round_id, Round.objects.values_list("fence", flat=True).get(pk=round_id))


def give_up_rounds(*, now: datetime) -> int:
    """Close the Rounds that too many workers have taken and not come back from. Gives how many."""
    ended = 0
    for row in _unheld(now).filter(fence__gte=MOST_CLAIMS):
        reason = (
            f"{row.fence} workers took it and none came to its end, the last one was "
            f"{row.get_state_display()}; the workers' log says more"
        )
        ended += (
            _unheld(now)
            .filter(pk=row.pk, fence=row.fence)
            .update(state=Round.State.FAILED, reason=reason, finished_at=now, lease_until=None)
        )
    return ended


def _unheld(now: datetime) -> QuerySet[Round]:
    """Rounds with training to do that no worker holds."""
    free = Q(lease_until=None) | Q(lease_until__lte=now)
    return Round.objects.filter(free).exclude(state__in=[*Round.CLOSED, Round.State.RANKING])


def keep_lease(*, claim: Claim, now: datetime) -> None:
    """Heartbeat. Raises LeaseLost."""
    _write(claim, lease_until=now + LEASE)


def enter_stage(*, claim: Claim, state: Round.State, now: datetime, **fields: object) -> None:
    """Move a Round to its next stage. Raises LeaseLost."""
    progress = {"stage": state.label, "fraction": 0.0}
    _write(claim, state=state, progress=progress, lease_until=now + LEASE, **fields)


def report_progress(*, claim: Claim, progress: dict[str, object], now: datetime) -> None:
    """Show how far a stage is, and keep the lease. Raises LeaseLost."""
    _write(claim, progress=progress, lease_until=now + LEASE)


def close_holdout(*, claim: Claim, last_image: int, now: datetime) -> list[int]:
    """Note up to which image a label snapshot has read: none of these is set aside from now on.

    Gives the images that are held out by now, which the snapshot must not teach. Raises LeaseLost.
    """
    with transaction.atomic():
        _write(claim, last_image=last_image, lease_until=now + LEASE)
        project = Project.objects.get(rounds=claim.round_id)
        take_turn(project=project)
        held = Image.objects.filter(project=project, holdout=True)
        return list(held.values_list("pk", flat=True))


def fail_round(*, claim: Claim, reason: str, now: datetime) -> None:
    """Close a Round that cannot go on; what served before goes on serving. Raises LeaseLost."""
    _write(claim, state=Round.State.FAILED, reason=reason, finished_at=now, lease_until=None)


def _write(claim: Claim, **fields: object) -> None:
    held = Round.objects.filter(pk=claim.round_id, fence=claim.fence).exclude(
        state__in=Round.CLOSED
    )
    if not held.update(**fields):
        raise LeaseLost(f"Round {claim.round_id} is not held with fence {claim.fence} any more")


def publish_model_version(
    *,
    claim: Claim,
    version: NewModelVersion,
    promote: bool,
    reason: str,
    labels_hold: bool = True,
    seconds: dict[str, float],
    shards: Sequence[tuple[int, int]],
    now: datetime,
) -> ModelVersion:
    """Write what a Round made: promoted with its ranking to do, or refused with the reason.

    What it learned of the annotators holds either way: after a refusal the version that goes on
    serving ranks anew, so that every image rests on it. Unless its labels did not hold.

    ``shards`` are (first, last) image ids. One transaction: there is never a promoted version
    without its shards, or two that serve. Raises LeaseLost.
    """
    with transaction.atomic():
        verdict = _promoted(shards, now) if promote else _refused(now)
        _write(claim, **verdict, reason=reason, seconds=seconds)
        training = Round.objects.select_related("project").get(pk=claim.round_id)
        take_turn(project=training.project)
        before = serving_version(project=training.project)
        if not promote:
            if before is not None and labels_hold:
                _put_in_force(training.project, version, now)
                start_ranking(model_version=before, shards=shards, now=now)
            return _insert(training, version, now=now)
        ModelVersion.objects.filter(project=training.project, serving=True).update(serving=False)
        _put_in_force(training.project, version, now)
        published = _insert(
            training, version, now=now, serving=True, promoted_at=now, before=before
        )
        start_ranking(model_version=published, shards=shards, now=now)
    return published


def _put_in_force(project: Project, version: NewModelVersion, now: datetime) -> None:
    """Put an annotator model in force, and note whose votes weigh nothing by it."""
    new_parameters(project=project, crowd=version.crowd, costs=version.costs, now=now)
    skills = version.crowd.skills
    note_who_counts(project=project, silent=skills.annotators[~skills.counts].tolist())


def _promoted(shards: Sequence[tuple[int, int]], now: datetime) -> dict[str, object]:
    """What becomes of the Round's row: on to the ranking, if there is anything to rank."""
    state = Round.State.RANKING if shards else Round.State.DONE
    return {
        "state": state,
        "outcome": Round.Outcome.PROMOTED,
        "progress": {"stage": state.label, "fraction": 0.0 if shards else 1.0},
        "finished_at": None if shards else now,
        "lease_until": None,
    }


def _refused(now: datetime) -> dict[str, object]:
    """What becomes of the Round's row: it is closed."""
    return {
        "state": Round.State.DONE,
        "outcome": Round.Outcome.REFUSED,
        "finished_at": now,
        "lease_until": None,
    }


def _insert(
    training: Round,
    version: NewModelVersion,
    *,
    now: datetime,
    serving: bool = False,
    promoted_at: datetime | None = None,
    before: ModelVersion | None = None,
) -> ModelVersion:
    """The row of a version, under the number of its Round."""
    return ModelVersion.objects.create(
        project=training.project,
        number=training.number,
        round=training,
        recipe=version.recipe,
        config=version.config,
        label_classes=list(version.label_classes),
        sha256=version.sha256,
        fold_sha256=list(version.fold_sha256),
        temperature=version.temperature,
        metrics=version.metrics,
        provisional=version.provisional,
        serving=serving,
        promoted_at=promoted_at,
        before=before,
        created_at=now,
    )
