"""When the next Round starts by itself, in words."""

from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labelhub.dashboard.selectors import Standing
from labelhub.dashboard.wording import Moment, ahead, number
from labelhub.projects.models import Project
from labelhub.rounds.selectors import news_wanted, rest_after


@dataclass(frozen=True)
class Schedule:
    """The rule, how far it is from being met, and the earliest time where one is known."""

    rule: str
    state: str
    next_at: Moment | None
    latest: str
    news: int
    wanted: int
    change_url: str


def schedule(*, standing: Standing, now: datetime) -> Schedule:
    """The schedule of a project whose ``news`` are counted."""
    project, news = standing.project, standing.news or 0
    rested = next_possible(standing)
    waits = rested is not None and rested > now and not _stopped(standing)
    return Schedule(
        rule=_rule(standing, news),
        state=_state(standing, news, waits=waits),
        next_at=ahead(rested, now) if rested and waits else None,
        latest=_latest(standing),
        news=min(news, _wanted(standing)),
        wanted=_wanted(standing),
        change_url=reverse("admin:projects_project_change", args=[project.pk]),
    )


def next_possible(standing: Standing) -> datetime | None:
    """When the schedule lets the next Round start; None before the first one."""
    if standing.latest is None:
        return None
    rest = rest_after(project=standing.project, last=standing.latest)
    return standing.latest.opened_at + rest


def _stopped(standing: Standing) -> bool:
    """Whether none can start now, whatever the time."""
    paused = standing.project.status == Project.Status.PAUSED
    return paused or (standing.latest is not None and standing.latest.is_open)


def _wanted(standing: Standing) -> int:
    """Pictures with new votes that the next Round waits for."""
    return news_wanted(
        project=standing.project,
        images=standing.project.progress.images,
        serves=standing.serving is not None,
    )


def _rule(standing: Standing, news: int) -> str:
    minutes = standing.project.retrain_every_minutes
    every = ngettext("Every minute", "Every %(n)s minutes", minutes) % {"n": number(minutes)}
    return _("%(every)s if at least %(least)s pictures have new votes; %(news)s have now.") % {
        "every": every,
        "least": number(_wanted(standing)),
        "news": number(news),
    }


def _state(standing: Standing, news: int, *, waits: bool) -> str:
    """What the rule waits for; the time itself is said apart."""
    if standing.project.status == Project.Status.PAUSED:
        return _("Paused: none starts by itself.")
    if standing.latest is not None and standing.latest.is_open:
        return _("One is under way; votes that come now are for the next.")
    if waits:
        return _("Next possible:")
    missing = _wanted(standing) - news
    if missing > 0:
        return ngettext(
            "%(n)s more picture with new votes and it starts.",
            "%(n)s more pictures with new votes and it starts.",
            missing,
        ) % {"n": number(missing)}
    return _("It is due and starts within seconds.")


def _latest(standing: Standing) -> str:
    """The other rule, which counts from the last Round: so many hours, and one vote is enough."""
    if standing.latest is None:
        return ""
    hours = standing.project.retrain_at_latest_hours
    return ngettext(
        "After an hour a single new vote is enough.",
        "After %(n)s hours a single new vote is enough.",
        hours,
    ) % {"n": number(hours)}
