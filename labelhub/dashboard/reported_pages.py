"""Pictures that people reported, and those an admin excluded: looked at, and decided on."""

from dataclasses import dataclass

from django.db.models import Exists, Max, OuterRef
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labelhub.challenges.reporting import open_reports
from labelhub.dashboard.decisions import report_words
from labelhub.dashboard.galleries import Thumb, thumb
from labelhub.dashboard.wording import number
from labelhub.projects.models import Image, Project
from labelhub.rounds.models import Candidate

MOST = 60


@dataclass(frozen=True)
class DecisionThumb:
    """A picture to decide on: ``reason`` says what people reported, ``place`` where it is now."""

    thumb: Thumb
    place: str
    exclude_url: str
    keep_url: str


@dataclass(frozen=True)
class ReportedPage:
    """The reported pictures, the latest first, and the excluded ones."""

    title: str
    reported: tuple[DecisionThumb, ...]
    excluded: tuple[DecisionThumb, ...]
    more: str  # how many of either are not shown


def reported_page(*, project: Project) -> ReportedPage:
    """What waits for a decision, and what was excluded; four queries."""
    count = open_reports(project=project).values("image").distinct().count()
    return ReportedPage(
        title=_title(count),
        reported=_reported(project),
        excluded=_excluded(project),
        more=_("The first %(n)s of each are shown.") % {"n": MOST} if count > MOST else "",
    )


def _title(count: int) -> str:
    if not count:
        return _("No reported picture waits for you")
    return ngettext(
        "%(n)s reported picture waits for you", "%(n)s reported pictures wait for you", count
    ) % {"n": number(count)}


def _reported(project: Project) -> tuple[DecisionThumb, ...]:
    """The pictures reported last, with what people say of each."""
    waiting = open_reports(project=project)
    latest = (
        waiting.values("image", "image__name")
        .annotate(last=Max("pk"), asked=Exists(Candidate.objects.filter(image=OuterRef("image"))))
        .order_by("-last")[:MOST]
    )
    rows = list(latest.values_list("image", "image__name", "asked"))
    reasons: dict[int, list[str]] = {}
    of_these = waiting.filter(image__in=[image_id for image_id, _name, _asked in rows])
    for image_id, reason in of_these.values_list("image", "reason"):
        reasons.setdefault(image_id, []).append(reason)
    asked_or_not = {
        True: _("Still asked about."),
        False: _("Nobody is asked about it until you decide."),
    }
    return tuple(
        _to_decide(
            project,
            image_id,
            name,
            reason=report_words(reasons.get(image_id, [])),
            place=asked_or_not[asked],
        )
        for image_id, name, asked in rows
    )


def _excluded(project: Project) -> tuple[DecisionThumb, ...]:
    """The pictures that came in last of those that were excluded."""
    excluded = Image.objects.filter(project=project, status=Image.Status.EXCLUDED)
    rows = excluded.order_by("-pk").values_list("pk", "name")[:MOST]
    return tuple(
        _to_decide(project, image_id, name, reason=_("excluded"), place="")
        for image_id, name in rows
    )


def _to_decide(
    project: Project, image_id: int, name: str, *, reason: str, place: str
) -> DecisionThumb:
    here = [project.slug, image_id]
    return DecisionThumb(
        thumb=thumb(project=project, image_id=image_id, name=name, reason=reason),
        place=place,
        exclude_url=reverse("dashboard:exclude", args=here),
        keep_url=reverse("dashboard:keep", args=here),
    )
