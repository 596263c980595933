"""What needs an admin: a short list of things, each with its next step."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labelhub.dashboard.selectors import Standing
from labelhub.dashboard.wording import duration, names, number
from labelhub.projects.models import Project
from labelhub.projects.services import HOLDOUT_ENOUGH, holdout_target
from labelhub.rounds.models import Round
from labelhub.rounds.queueing import MANY_PEOPLE
from labelhub.rounds.services import FEWEST_LABELS

QUEUED_LONG = timedelta(minutes=2)


@dataclass(frozen=True)
class Need:
    """One thing to look at. ``urgent`` ones stand in the way of something."""

    key: str
    words: str
    step: str
    url: str = ""
    link: str = ""
    urgent: bool = True


def needs(standing: Standing, now: datetime) -> tuple[Need, ...]:
    """All that needs an admin in a project, the most pressing first."""
    rules: tuple[Callable[[Standing, datetime], Need | None], ...] = (
        _no_pictures,
        _paused,
        _waits_for_a_worker,
        _cannot_rank,
        _failed,
        _refused,
        _reported,
        _no_gold,
        _too_few_labels,
        _contested,
        _young_holdout,
    )
    found = (rule(standing, now) for rule in rules)
    return tuple(need for need in found if need is not None)


def _no_pictures(standing: Standing, now: datetime) -> Need | None:
    if standing.project.progress.images:
        return None
    return Need(
        key="no-pictures",
        words=_("No pictures counted yet."),
        step=_("Bring some in, as said below; they are counted within seconds."),
    )


def _paused(standing: Standing, now: datetime) -> Need | None:
    if standing.project.status != Project.Status.PAUSED:
        return None
    return Need(
        key="paused",
        words=_("Paused: no grids are served and no Round starts by itself."),
        step=_("Resume it when people may answer again."),
    )


def _waits_for_a_worker(standing: Standing, now: datetime) -> Need | None:
    latest = standing.latest
    if latest is None or latest.state != Round.State.QUEUED:
        return None
    waited = now - latest.opened_at
    if waited < QUEUED_LONG:
        return None
    return Need(
        key="waiting",
        words=_("Round %(number)s has waited for %(time)s.")
        % {"number": number(latest.number), "time": duration(waited.total_seconds())},
        step=_("The training worker is busy with another project, or it is not running."),
    )


def _cannot_rank(standing: Standing, now: datetime) -> Need | None:
    """Its files are lost or damaged: what it said before stands, of new pictures it is silent."""
    if standing.serving is None or not standing.trouble:
        return None
    return Need(
        key="cannot-rank",
        words=_("Version %(number)s, which serves, cannot look at the pictures: %(trouble)s.")
        % {
            "number": number(standing.serving.number),
            "trouble": standing.trouble.rstrip("."),
        },
        step=_("Run a Round, roll back, or bring its files back from the backup."),
    )


def _failed(standing: Standing, now: datetime) -> Need | None:
    latest = standing.latest
    if latest is None or latest.state != Round.State.FAILED:
        return None
    return Need(
        key="failed",
        words=_("Round %(number)s failed: %(reason)s.")
        % {"number": number(latest.number), "reason": latest.reason.rstrip(".")},
        step=_("What served before goes on serving. Mend the cause, then run a Round."),
    )


def _refused(standing: Standing, now: datetime) -> Need | None:
    latest = standing.latest
    if latest is None or latest.outcome != Round.Outcome.REFUSED:
        return None
    return Need(
        key="refused",
        words=_("Round %(number)s was refused: %(reason)s.")
        % {"number": number(latest.number), "reason": latest.reason.rstrip(".")},
        step=_("More votes or Gold usually help; the next Round tries again."),
    )


def _reported(standing: Standing, now: datetime) -> Need | None:
    if not standing.reported:
        return None
    return Need(
        key="reported",
        words=ngettext("%(n)s reported picture.", "%(n)s reported pictures.", standing.reported)
        % {"n": number(standing.reported)},
        step=_("People say that something is wrong with them: look, and exclude or keep them."),
        url=reverse("dashboard:reports", args=[standing.project.slug]),
        link=_("Reported pictures"),
    )


def _no_gold(standing: Standing, now: datetime) -> Need | None:
    if not standing.without_gold or not standing.project.progress.images:
        return None
    return Need(
        key="no-gold",
        words=_("No Gold for %(classes)s.") % {"classes": names(standing.without_gold)},
        step=_("Gold grades answers, and teaches the first network before any votes: mark some."),
        url=reverse("dashboard:cockpit", args=[standing.project.slug]) + "#doubt",
        link=_("Pictures to mark"),
    )


def _too_few_labels(standing: Standing, now: datetime) -> Need | None:
    if standing.labelled is None or standing.labelled >= FEWEST_LABELS:
        return None
    if not standing.project.progress.images:
        return None  # one thing after the other
    return Need(
        key="too-few-labels",
        words=_("%(found)s of the %(least)s pictures with Gold or votes that a Round needs.")
        % {"found": number(standing.labelled), "least": number(FEWEST_LABELS)},
        step=_("Mark Gold, or share the project's address so that people answer."),
        url=standing.project.get_absolute_url(),
        link=_("The page to share"),
    )


def _contested(standing: Standing, now: datetime) -> Need | None:
    count = standing.project.progress.contested
    if not count:
        return None
    return Need(
        key="contested",
        words=ngettext("%(n)s contested picture.", "%(n)s contested pictures.", count)
        % {"n": number(count)},
        step=_("%(people)s people or more judged each and no class is sure: say what it is.")
        % {"people": number(MANY_PEOPLE)},
        url=reverse("dashboard:contested", args=[standing.project.slug]),
        link=_("Contested pictures"),
        urgent=False,
    )


def _young_holdout(standing: Standing, now: datetime) -> Need | None:
    """Said once there is something to measure: before, it is one worry too many."""
    holdout = standing.holdout
    if holdout is None or standing.serving is None or holdout.settled >= HOLDOUT_ENOUGH:
        return None
    words = _("%(settled)s of %(least)s holdout pictures are settled.") % {
        "settled": number(holdout.settled),
        "least": number(HOLDOUT_ENOUGH),
    }
    if max(holdout.images, holdout_target(standing.project.progress.images)) < HOLDOUT_ENOUGH:
        step = _(
            "The project is too small for a holdout of that size; Gold or votes measure instead."
        )
    else:
        step = _("Grids ask about them by themselves; until then accuracy is provisional.")
    return Need(key="young-holdout", words=words, step=step, urgent=False)
