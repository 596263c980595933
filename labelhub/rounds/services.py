"""Writes of Rounds: open, claim, keep the lease, close; promote, refuse, roll back.

The row is the truth. A worker holds a Round by a lease in the row and a fence that grows with every
claim: whoever writes with an old fence is refused, so a worker that was thought dead cannot harm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from labelhub.projects.models import Project
from labelhub.rounds import dispatch
from labelhub.rounds.models import ModelVersion, RankingShard, Round
from labelhub.rounds.selectors import (
    latest_round,
    round_is_due,
    trainable_images,
    version_before,
)
from labelhub.votes.aggregation import Floats
from labelhub.votes.parameters import new_parameters

LEASE = timedelta(seconds=30)
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
    select_rates: Floats  # (K, K) the crowd's rates fitted on the same snapshot
    choice_rates: Floats  # (K, K)


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
    with transaction.atomic():
        free = Q(lease_until=None) | Q(lease_until__lte=now)
        training = Round.objects.filter(free, pk=round_id).exclude(
            state__in=[*Round.CLOSED, Round.State.RANKING]
        )
        if not training.update(fence=F("fence") + 1, worker=worker, lease_until=now + LEASE):
            return None
        return Claim(round_id, Round.objects.values_list("fence", flat=True).get(pk=round_id))


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
    seconds: dict[str, float],
    shards: Sequence[tuple[int, int]],
    now: datetime,
) -> ModelVersion:
    """Write what a Round made: promoted with its ranking to do, or refused with the reason.

    ``shards`` are (first, last) image ids. One transaction: there is never a promoted version
    without its shards, or two that serve. Raises LeaseLost.
    """
    with transaction.atomic():
        _write(claim, **_verdict_fields(promote, now), reason=reason, seconds=seconds)
        training = Round.objects.select_related("project").get(pk=claim.round_id)
        if promote:
            ModelVersion.objects.filter(project=training.project, serving=True).update(
                serving=False
            )
            new_parameters(
                project=training.project,
                select_rates=version.select_rates,
                choice_rates=version.choice_rates,
                now=now,
            )
        published = ModelVersion.objects.create(
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
            serving=promote,
            promoted_at=now if promote else None,
            created_at=now,
        )
        if promote:
            start_ranking(model_version=published, shards=shards, now=now)
    return published


def _verdict_fields(promote: bool, now: datetime) -> dict[str, object]:  # noqa: FBT001
    """What becomes of the Round's row: on to the ranking, or closed."""
    if promote:
        stage = {"stage": Round.State.RANKING.label, "fraction": 0.0}
        return {
            "state": Round.State.RANKING,
            "outcome": Round.Outcome.PROMOTED,
            "progress": stage,
            "lease_until": None,
        }
    return {
        "state": Round.State.DONE,
        "outcome": Round.Outcome.REFUSED,
        "finished_at": now,
        "lease_until": None,
    }


def start_ranking(
    *, model_version: ModelVersion, shards: Sequence[tuple[int, int]], now: datetime
) -> None:
    """Write the shards of a ranking and send them after the commit. Earlier ones are forgotten."""
    with transaction.atomic():
        model_version.ranking_shards.all().delete()
        rows = RankingShard.objects.bulk_create(
            RankingShard(
                model_version=model_version,
                number=number,
                first_image=first,
                last_image=last,
                hinted_at=now,
            )
            for number, (first, last) in enumerate(shards)
        )
        for row in rows:
            dispatch.after_commit(dispatch.RANK_SHARD, shard_id=row.pk)


def finish_shard(*, shard: RankingShard, now: datetime) -> None:
    """Note a shard as ranked; the last one closes the Round."""
    with transaction.atomic():
        # Two last shards at once would each see the other unfinished: one after the other.
        ModelVersion.objects.select_for_update().get(pk=shard.model_version_id)
        RankingShard.objects.filter(pk=shard.pk, finished_at=None).update(finished_at=now)
        shards = RankingShard.objects.filter(model_version_id=shard.model_version_id)
        total, left = shards.count(), shards.filter(finished_at=None).count()
        ranking = Round.objects.filter(
            model_version=shard.model_version_id, state=Round.State.RANKING
        )
        if left:
            stage = {"stage": Round.State.RANKING.label, "fraction": round(1 - left / total, 3)}
            ranking.update(progress=stage)
            return
        for row in ranking:
            took = (now - row.model_version.created_at).total_seconds()
            ranking.update(
                state=Round.State.DONE,
                finished_at=now,
                progress={"stage": Round.State.DONE.label, "fraction": 1.0},
                seconds={**row.seconds, "rank": round(took, 2)},
            )


def roll_back(
    *, project: Project, to_number: int | None, now: datetime
) -> tuple[ModelVersion, ModelVersion]:
    """Serve an earlier promoted version again: the one named, or the latest before the one serving.

    Gives (from, to). Raises LookupError where there is none.
    """
    with transaction.atomic():
        serving = ModelVersion.objects.filter(project=project, serving=True).first()
        if serving is None:
            raise LookupError(f"{project.name} has no model version in service")
        if to_number is None:
            target = version_before(serving=serving)
        else:
            target = ModelVersion.objects.filter(
                project=project, promoted_at__isnull=False, number=to_number
            ).first()
        if target is None or target == serving:
            wanted = "an earlier promoted version" if to_number is None else f"version {to_number}"
            raise LookupError(f"{project.name} cannot go back to {wanted}")
        ModelVersion.objects.filter(pk=serving.pk).update(serving=False)
        ModelVersion.objects.filter(pk=target.pk).update(serving=True, promoted_at=now)
        spans = serving.ranking_shards.order_by("number").values_list("first_image", "last_image")
        start_ranking(model_version=target, shards=list(spans), now=now)
    return serving, target
