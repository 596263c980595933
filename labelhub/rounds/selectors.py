"""Reads of Rounds, for the scheduler, the workers and the pages."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Q

from labelhub.projects.models import Image, Project
from labelhub.rounds.models import ModelVersion, Round
from labelhub.votes.models import Vote

FIRST_SHARE = 5  # one of so many images has votes when a small project's first Round opens
FIRST_LEAST = 15  # images with votes, some of them of the holdout: fewer than ten teach nothing
FAILED_REST = timedelta(minutes=10)


@dataclass(frozen=True)
class CurvePoint:
    """A Round that measured a network: what was known when it learned, and what came of it.

    ``labels`` are the images it learned from, ``votes`` the standing votes of its snapshot; None in
    Rounds from before they were counted. ``interval`` is of 95 %, around the accuracy on
    ``measured`` images.
    """

    round: int
    opened_at: datetime
    promoted: bool
    labels: int | None
    votes: int | None
    accuracy: float
    interval: tuple[float, float] | None
    measured: int
    measured_on: str
    provisional: bool


def learning_curve(*, project: Project, most: int | None = None) -> tuple[CurvePoint, ...]:
    """The latest Rounds that measured anything, oldest first; all of them without ``most``.

    Points on the holdout and provisional ones do not lie on one line: those are of other images.
    """
    rows = (
        ModelVersion.objects.filter(project=project, metrics__images__gte=1)
        .order_by("-number")
        .values_list(
            "round__number",
            "round__opened_at",
            "round__outcome",
            "round__snapshot",
            "provisional",
            "metrics__accuracy",
            "metrics__interval",
            "metrics__images",
            "metrics__measured_on",
        )[:most]
    )
    return tuple(
        CurvePoint(
            round=number,
            opened_at=opened_at,
            promoted=outcome == Round.Outcome.PROMOTED,
            labels=snapshot.get("trainable"),
            votes=snapshot.get("votes"),
            accuracy=accuracy,
            interval=tuple(interval) if interval else None,
            measured=images or 0,
            measured_on=measured_on or "",
            provisional=provisional,
        )
        for (
            number,
            opened_at,
            outcome,
            snapshot,
            provisional,
            accuracy,
            interval,
            images,
            measured_on,
        ) in reversed(rows)
    )


def latest_round(*, project: Project) -> Round | None:
    """The Round opened last, whatever became of it."""
    return Round.objects.filter(project=project).order_by("-number").first()


def serving_version(*, project: Project) -> ModelVersion | None:
    """The ModelVersion that serves the project."""
    return ModelVersion.objects.filter(project=project, serving=True).first()


def version_before(*, serving: ModelVersion) -> ModelVersion | None:
    """The version that served when this one was promoted: where a rollback goes.

    Numbers do not tell: after a rollback and a new promotion the number before is the bad one.
    Rows from before that was noted go back by number.
    """
    if serving.before is not None:
        return serving.before
    earlier = ModelVersion.objects.filter(
        project_id=serving.project_id, promoted_at__isnull=False, number__lt=serving.number
    )
    return earlier.order_by("-number").first()


def ranking_trouble(*, model_version: ModelVersion) -> str:
    """What ended the last try to rank a shard that is not ranked yet; empty where none failed."""
    failed = model_version.ranking_shards.filter(finished_at=None).exclude(trouble="")
    return failed.order_by("number").values_list("trouble", flat=True).first() or ""


def trainable_images(*, project: Project) -> int:
    """How many images outside the holdout have Gold or a vote."""
    return Image.objects.filter(
        Q(gold__isnull=False) | Q(consensus__humans__gt=0),
        project=project,
        holdout=False,
        status=Image.Status.ACTIVE,
    ).count()


def images_with_news(*, project: Project) -> int:
    """Images whose votes no snapshot has seen."""
    seen = Round.objects.filter(project=project).exclude(state=Round.State.FAILED)
    last_vote = seen.aggregate(last=Max("last_vote"))["last"] or 0
    fresh = Vote.objects.filter(
        project=project, id__gt=last_vote, image__status=Image.Status.ACTIVE
    )
    return int(fresh.aggregate(images=Count("image", distinct=True))["images"])


def round_is_due(*, project: Project, now: datetime) -> bool:
    """The schedule: every T minutes if at least M images have new votes; at the latest after H
    hours if any has. A project that never had a Round starts as soon as there is enough, and while
    no network serves yet, a fifth of a small project's images is enough."""
    last = latest_round(project=project)
    if last is not None and last.is_open:
        return False
    news = images_with_news(project=project)
    if last is None:
        return _suffices(project, news)
    waited = now - last.opened_at
    if waited >= timedelta(hours=project.retrain_at_latest_hours):
        return news > 0
    return waited >= rest_after(project=project, last=last) and _suffices(project, news)


def rest_after(*, project: Project, last: Round) -> timedelta:
    """How long after the last Round was opened the next may come by the schedule.

    One that failed says what is to be mended, which takes people longer than a minute.
    """
    rest = timedelta(minutes=project.retrain_every_minutes)
    return max(rest, FAILED_REST) if last.state == Round.State.FAILED else rest


def news_wanted(*, project: Project, images: int, serves: bool) -> int:
    """How many of so many images must have new votes for a Round by the schedule.

    ``images`` is 0 where they are not counted yet, ``serves`` whether a network is in service:
    without one, and without Gold to open a Round on, people would label a project of less than M
    images to its end before anything helped them.
    """
    wanted = project.retrain_min_labels
    return wanted if serves or not images else min(wanted, max(FIRST_LEAST, images // FIRST_SHARE))


def _suffices(project: Project, news: int) -> bool:
    """The same; the images are counted only as far as it matters."""
    if news >= project.retrain_min_labels:
        return True
    if serving_version(project=project) is not None:
        return False
    active = Image.objects.filter(project=project, status=Image.Status.ACTIVE)
    images = active[: FIRST_SHARE * project.retrain_min_labels].count()
    return news >= news_wanted(project=project, images=images, serves=False)
