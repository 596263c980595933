"""Tells of the demo's Rounds as they end: what was decided, and how right the labels are by now."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

from fixtures.shapes import ShapeSet
from labelhub.projects.models import Project
from labelhub.rounds.models import ModelVersion, Round
from labelhub.rounds.selectors import latest_round
from labelhub.votes.models import Vote
from workers.demo.exam import accuracy_on
from workers.demo.scores import labels_in_words, most_uncertain, network_in_words

LOOK_EVERY = 0.5  # seconds


class TimeIsUp(RuntimeError):
    """The Rounds did not end in time; the message says where things stand."""


class RoundFailed(RuntimeError):
    """A Round could not be finished; the message has its reason."""


@dataclass(frozen=True)
class Yardstick:
    """What the demo knows and the product does not: true classes by content hash, and pictures
    that nobody labels."""

    key_of: dict[str, str]
    fresh: ShapeSet


def tell_rounds(
    *,
    project: Project,
    count: int,
    since: datetime,
    limit: timedelta,
    yardstick: Yardstick,
    clock: Callable[[], datetime],
    pause: Callable[[float], None],
    say: Callable[[str], None],
) -> None:
    """Tell of each Round that ends after ``since``, until there were ``count``.

    Raises TimeIsUp after ``limit``, RoundFailed.
    """
    told: list[int] = []
    while len(told) < count:
        row = _ended(project, since).exclude(pk__in=told).order_by("number").first()
        if row is None:
            if clock() - since > limit:
                raise TimeIsUp(_where_it_stands(project, len(told), count, limit))
            pause(LOOK_EVERY)
            continue
        told.append(row.pk)
        for line in words_about(row, yardstick):
            say(line)
        if row.state == Round.State.FAILED:
            raise RoundFailed(f"Round {row.number} failed: {row.reason}")


def _ended(project: Project, since: datetime) -> QuerySet[Round]:
    return Round.objects.filter(project=project, state__in=Round.CLOSED, finished_at__gte=since)


def _where_it_stands(project: Project, ended: int, count: int, limit: timedelta) -> str:
    last = latest_round(project=project)
    state = f"Round {last.number} is {last.get_state_display()}" if last else "none was opened"
    minutes = limit.total_seconds() / 60
    return f"{ended} of {count} Rounds ended within {minutes:g} minutes; {state}"


def words_about(row: Round, yardstick: Yardstick) -> list[str]:
    """The lines about one Round that ended."""
    project = row.project
    outcome = row.get_outcome_display() or row.get_state_display()
    votes = Vote.objects.filter(project=project).count()
    labels = labels_in_words(project=project, key_of=yardstick.key_of)
    lines = [f"Round {row.number}: {outcome}: {row.reason}", f"  votes {votes:,}, {labels}"]
    version = ModelVersion.objects.filter(round=row).first()
    if version is not None:
        fresh = accuracy_on(project=project, fresh=yardstick.fresh)
        network = network_in_words(
            version=version, on_fresh=fresh, fresh=len(yardstick.fresh.labels)
        )
        stages = ", ".join(f"{stage} {took:.1f}" for stage, took in row.seconds.items())
        lines.append(f"  {network}")
        lines.append(f"  {sum(row.seconds.values()):.1f} s: {stages}")
    if version is not None and version.serving:
        lines.append(f"  most uncertain: {most_uncertain(version=version)}")
    return lines
