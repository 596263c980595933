"""The three answers at the head of the cockpit: how far, how good, and what needs someone."""

from dataclasses import dataclass
from datetime import datetime
from math import sqrt

from django.urls import reverse
from django.utils.translation import gettext as _

from labelhub.dashboard.attention import Need, needs
from labelhub.dashboard.schedule import Schedule, schedule
from labelhub.dashboard.selectors import Standing
from labelhub.dashboard.wording import Moment, accuracy_words, ago, number, percent
from labelhub.projects.models import Progress

Z95 = 1.96  # normal deviate of a two-sided 95 % interval


@dataclass(frozen=True)
class HowFar:
    """``settled`` and ``voted`` of ``images``, for the meter and in words."""

    share: str
    images: int
    settled: int
    rows: tuple[tuple[str, str, str], ...]  # what, how many, which share of all images
    counted: Moment


@dataclass(frozen=True)
class HowGood:
    """What the serving version reaches, and how that was measured; no ``share``: none serves."""

    share: str
    version: str
    provisional: bool
    measured: str
    interval: str
    sureness: str
    explained: str
    promoted: Moment | None


@dataclass(frozen=True)
class Answers:
    """The head of the cockpit with its schedule."""

    far: HowFar
    good: HowGood
    needs: tuple[Need, ...]
    schedule: Schedule
    url: str  # refreshes this part
    rollback_url: str


def answers(*, standing: Standing, now: datetime) -> Answers:
    """The head of the cockpit of a project."""
    return Answers(
        far=_how_far(standing.project.progress, now),
        good=how_good(standing, now),
        needs=needs(standing, now),
        schedule=schedule(standing=standing, now=now),
        url=reverse("dashboard:answers", args=[standing.project.slug]),
        rollback_url=reverse("dashboard:rollback", args=[standing.project.slug]),
    )


def _how_far(progress: Progress, now: datetime) -> HowFar:
    images = progress.images
    return HowFar(
        share=settled_share(progress),
        images=max(images, 1),
        settled=progress.settled,
        rows=(
            (_("pictures"), number(images), ""),
            (_("with votes"), number(progress.voted), _share(progress.voted, images)),
            (_("settled"), number(progress.settled), _share(progress.settled, images)),
            (_("votes"), number(progress.votes), ""),
        ),
        counted=ago(progress.counted_at, now),
    )


def settled_share(progress: Progress) -> str:
    """How much of a project is settled."""
    return percent(progress.settled / max(progress.images, 1))


def _share(part: int, whole: int) -> str:
    return percent(part / whole) if whole else ""


def how_good(standing: Standing, now: datetime) -> HowGood:
    """The accuracy of the serving version with what it was measured on."""
    serving, latest = standing.serving, standing.latest
    accuracy = serving.metrics.get("accuracy") if serving else None
    if serving is None or accuracy is None:
        explained = _("No network serves yet. The first Round makes one from Gold and votes.")
        if latest is not None and (latest.number > 1 or not latest.is_open):
            explained = _(
                "No network serves yet: none so far was good enough. More Gold helps most."
            )
        version = _("version %(number)s") % {"number": serving.number} if serving else ""
        return HowGood(
            "",
            version,
            provisional=False,
            measured="",
            interval="",
            sureness="",
            explained=explained,
            promoted=None,
        )
    measured = int(serving.metrics.get("images", 0))
    return HowGood(
        share=accuracy_words(accuracy, measured),
        version=_("version %(number)s") % {"number": number(serving.number)},
        provisional=serving.provisional,
        measured=_("Right on %(right)s of %(all)s %(what)s.")
        % {
            "right": number(round(accuracy * measured)),
            "all": number(measured),
            "what": measured_on_words(str(serving.metrics.get("measured_on", ""))),
        },
        interval=interval_words(accuracy, measured),
        sureness=_sureness(serving.metrics.get("ece")),
        explained=_(
            "Provisional: the holdout is young, so networks were asked about other pictures, each "
            "of them one that did not train on it."
        )
        if serving.provisional
        else _("No network ever trains on the holdout; its truth is votes and Gold alone."),
        promoted=ago(serving.promoted_at, now) if serving.promoted_at else None,
    )


def _sureness(error: float | None) -> str:
    """What "87 % sure" is worth; nothing where that was not measured."""
    if error is None:
        return ""
    return _("How sure it says it is differs from how often it is right by %(error)s.") % {
        "error": percent(error, digits=1)
    }


def measured_on_words(measured_on: str) -> str:
    """What a version was measured on, in the language of the page."""
    known = {
        "holdout images": _("holdout pictures"),
        "Gold images, cross-validated": _("Gold pictures, cross-validated"),
        "images labelled by votes, cross-validated": _(
            "pictures labelled by votes, cross-validated"
        ),
        "Gold images and images labelled by votes, cross-validated": _(
            "Gold pictures and pictures labelled by votes, cross-validated"
        ),
    }
    return known.get(measured_on, measured_on or _("pictures"))


def interval_words(accuracy: float, measured: int) -> str:
    """Where the true accuracy lies, by Wilson's interval of 95 %."""
    if not measured:
        return ""
    low, high = wilson(accuracy, measured)
    return _("%(count)s pictures pin that down to between %(low)s and %(high)s.") % {
        "count": number(measured),
        "low": percent(low),
        "high": percent(high),
    }


def wilson(share: float, count: int) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share seen ``count`` times; count is positive."""
    middle = share + Z95**2 / (2 * count)
    spread = Z95 * sqrt(share * (1 - share) / count + Z95**2 / (4 * count**2))
    scale = 1 + Z95**2 / count
    return max((middle - spread) / scale, 0.0), min((middle + spread) / scale, 1.0)
