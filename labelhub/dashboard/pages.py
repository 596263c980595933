"""The pages of the dashboard, put together from their parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _

from labelhub.challenges.checks import settled_error
from labelhub.dashboard.answers import Answers, answers, how_good, settled_share
from labelhub.dashboard.attention import Need, needs
from labelhub.dashboard.balance import Balance, balance
from labelhub.dashboard.checked import Checked, checked
from labelhub.dashboard.confused import Confused, confused
from labelhub.dashboard.galleries import Gallery, gallery
from labelhub.dashboard.history import PLOTTED, History, history
from labelhub.dashboard.image_selectors import images_in_doubt
from labelhub.dashboard.round_pages import RoundPanel, round_panel
from labelhub.dashboard.selectors import (
    Standing,
    class_counts,
    gold_by_class,
    round_records,
    standing,
    standings,
)
from labelhub.dashboard.wording import number
from labelhub.projects.models import Project
from labelhub.rounds.models import ModelVersion
from labelhub.rounds.selectors import latest_round, serving_version

GALLERY = 24


@dataclass(frozen=True)
class ProjectRow:
    """A project in the list."""

    name: str
    url: str
    badge: str
    tone: str
    images: int
    settled: int
    settled_words: str
    accuracy: str
    needs: tuple[Need, ...]


@dataclass(frozen=True)
class Head:
    """The head of every page of a project."""

    name: str
    slug: str
    url: str
    paused: bool
    running: bool
    grid_url: str
    settings_url: str


@dataclass(frozen=True)
class Details:
    """What stands below the first screen."""

    history: History
    balance: Balance
    checked: Checked
    confused: Confused
    gallery: Gallery
    empty: bool  # no pictures: nothing to show yet
    gold_command: str
    import_command: str
    url: str


@dataclass(frozen=True)
class Cockpit:
    """The whole page of a project."""

    head: Head
    answers: Answers
    round: RoundPanel
    details: Details


def project_rows(*, now: datetime) -> list[ProjectRow]:
    """Every project, by name."""
    return [_project_row(one, now) for one in standings()]


def _project_row(one: Standing, now: datetime) -> ProjectRow:
    progress = one.project.progress
    badge, tone = "", ""
    if one.latest is not None and one.latest.is_open:
        badge, tone = _("Round %(n)s is running") % {"n": number(one.latest.number)}, "accent"
    elif one.project.status == Project.Status.PAUSED:
        badge, tone = _("paused"), "warn"
    return ProjectRow(
        name=one.project.name,
        url=reverse("dashboard:cockpit", args=[one.project.slug]),
        badge=badge,
        tone=tone,
        images=max(progress.images, 1),
        settled=progress.settled,
        settled_words=_("%(share)s of %(images)s pictures settled")
        % {"share": settled_share(progress), "images": number(progress.images)}
        if progress.images
        else "",
        accuracy=how_good(one, now).share,
        needs=needs(one, now),
    )


def head(*, project: Project, running: bool = False) -> Head:
    """The head of a project's pages."""
    return Head(
        name=project.name,
        slug=project.slug,
        url=reverse("dashboard:cockpit", args=[project.slug]),
        paused=project.status == Project.Status.PAUSED,
        running=running,
        grid_url=project.get_absolute_url(),
        settings_url=reverse("admin:projects_project_change", args=[project.pk]),
    )


def cockpit(*, project: Project, now: datetime) -> Cockpit:
    """Everything about one project."""
    stand = standing(project=project)
    panel = round_panel(project=project, latest=stand.latest, now=now)
    return Cockpit(
        head=head(project=project, running=panel.running),
        answers=answers(standing=stand, now=now),
        round=panel,
        details=details(project=project, serving=stand.serving, gold=stand.gold, now=now),
    )


def answers_part(*, project: Project, now: datetime) -> Answers:
    """The first screen alone, for its refresh."""
    return answers(standing=standing(project=project), now=now)


def round_part(*, project: Project, now: datetime) -> RoundPanel:
    """The latest Round alone, for its refresh."""
    return round_panel(project=project, latest=latest_round(project=project), now=now)


def details_part(*, project: Project, now: datetime) -> Details:
    """What stands below the first screen alone, for its refresh."""
    return details(
        project=project,
        serving=serving_version(project=project),
        gold=gold_by_class(project=project),
        now=now,
    )


def details(
    *, project: Project, serving: ModelVersion | None, gold: Mapping[int, int], now: datetime
) -> Details:
    """What stands below the first screen."""
    doubts = images_in_doubt(project=project, serving=serving, most=GALLERY)
    return Details(
        history=history(
            project=project, records=round_records(project=project, most=PLOTTED), now=now
        ),
        balance=balance(
            counts=class_counts(project=project, gold=gold), images=project.progress.images
        ),
        checked=checked(project=project, levels=settled_error(project=project)),
        confused=confused(project=project, serving=serving),
        gallery=gallery(project=project, doubts=doubts, serving=serving),
        empty=not project.progress.images,
        gold_command=f"manage.py import_images {project.slug} KNOWN_FOLDER --gold",
        import_command=f"manage.py import_images {project.slug} FOLDER",
        url=reverse("dashboard:details", args=[project.slug]),
    )
