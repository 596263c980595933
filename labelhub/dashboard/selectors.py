"""Reads of the dashboard: a bounded number of queries, whatever the number of rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery

from labelhub.challenges.models import Report
from labelhub.challenges.reporting import open_reports
from labelhub.projects.models import Gold, Image, LabelClass, Project
from labelhub.projects.selectors import CatalogueEntry, catalogue, projects_with_progress
from labelhub.rounds.models import ModelVersion, Round
from labelhub.rounds.selectors import (
    images_with_news,
    latest_round,
    ranking_trouble,
    serving_version,
    trainable_images,
)
from labelhub.rounds.services import FEWEST_LABELS
from labelhub.votes.models import Consensus

PLAINLY_ENOUGH = 10 * FEWEST_LABELS  # with so many labels nobody has to count for a Round
LIKELY = 0.5  # a class above it is likelier than all others together


@dataclass(frozen=True)
class Holdout:
    """How many images are held out, and how many of them are settled."""

    images: int
    settled: int


@dataclass(frozen=True)
class Standing:
    """Where a project stands: all that its three answers and its schedule are made of.

    ``labelled`` (images a Round could learn from), ``holdout`` and ``news`` (images with votes that
    no Round has seen) are None where nobody asked.
    """

    project: Project  # with its progress
    latest: Round | None
    serving: ModelVersion | None
    without_gold: tuple[str, ...]  # names of classes
    gold: Mapping[int, int]  # LabelClass id to its number of Gold images
    reported: int = 0  # images that people reported and no admin decided on
    labelled: int | None = None
    holdout: Holdout | None = None
    news: int | None = None
    trouble: str = ""  # why the version in service cannot rank the images


@dataclass(frozen=True)
class ClassCount:
    """How many images are likely of a class, and what is known of them."""

    entry: CatalogueEntry
    images: int
    settled: int
    gold: int


@dataclass(frozen=True)
class RoundRecord:
    """One Round with what it measured; ``accuracy`` is None where it made no version."""

    number: int
    state: str
    outcome: str
    reason: str
    trigger: str
    opened_at: datetime
    finished_at: datetime | None
    labels: int | None  # images it learned from
    votes: int | None  # standing then
    accuracy: float | None
    ece: float | None
    measured: int
    measured_on: str
    provisional: bool
    serving: bool


def standing(*, project: Project) -> Standing:
    """Everything about one project, in nine queries at most."""
    gold = gold_by_class(project=project)
    serving = serving_version(project=project)
    askable = catalogue(project).askable
    return Standing(
        project=project,
        latest=latest_round(project=project),
        serving=serving,
        without_gold=tuple(entry.name for entry in askable if not gold.get(entry.id)),
        gold=gold,
        reported=open_reports(project=project).values("image").distinct().count(),
        labelled=_labelled(project, sum(gold.values())),
        holdout=_holdout(project),
        news=images_with_news(project=project),
        trouble=ranking_trouble(model_version=serving) if serving else "",
    )


def standings() -> list[Standing]:
    """Every project for the list, in five queries."""
    projects = list(projects_with_progress())
    last = Round.objects.filter(project=OuterRef("pk")).order_by("-number").values("pk")[:1]
    rounds = Round.objects.filter(
        pk__in=Project.objects.annotate(last=Subquery(last)).values("last")
    )
    latest = {row.project_id: row for row in rounds}
    serving = {row.project_id: row for row in ModelVersion.objects.filter(serving=True)}
    reported = dict(
        Report.objects.filter(decided_at__isnull=True, image__status=Image.Status.ACTIVE)
        .values_list("project")
        .annotate(images=Count("image", distinct=True))
    )
    bare: dict[int, list[str]] = {}
    for project_id, name in (
        LabelClass.objects.filter(~Exists(_counted_gold().filter(label_class=OuterRef("pk"))))
        .filter(is_none=False)
        .order_by("project", "position")
        .values_list("project_id", "name")
    ):
        bare.setdefault(project_id, []).append(name)
    return [
        Standing(
            project=project,
            latest=latest.get(project.pk),
            serving=serving.get(project.pk),
            without_gold=tuple(bare.get(project.pk, ())),
            gold={},
            reported=reported.get(project.pk, 0),
        )
        for project in projects
    ]


def gold_by_class(*, project: Project) -> dict[int, int]:
    """LabelClass id to the number of its Gold images; classes without any are left out."""
    rows = _counted_gold().filter(label_class__project=project).values_list("label_class")
    return dict(rows.annotate(images=Count("id")).order_by())


def _counted_gold() -> QuerySet[Gold]:
    """Gold of excluded images teaches and grades nobody."""
    return Gold.objects.filter(image__status=Image.Status.ACTIVE)


def _labelled(project: Project, gold: int) -> int | None:
    """How many images a Round could learn from; None where there are plainly enough."""
    most = gold + project.progress.voted
    return None if most >= PLAINLY_ENOUGH else trainable_images(project=project)


def _holdout(project: Project) -> Holdout:
    held = Image.objects.filter(project=project, holdout=True, status=Image.Status.ACTIVE)
    return Holdout(
        **held.aggregate(images=Count("id"), settled=Count("id", filter=Q(consensus__settled=True)))
    )


def class_counts(*, project: Project, gold: Mapping[int, int]) -> tuple[ClassCount, ...]:
    """Each class in its order. An image of which no class is likely is of none: a "no" alone says
    what it is not, and which of the others comes first then is chance."""
    entries = catalogue(project).entries
    rows = (
        Consensus.objects.filter(
            project=project, confidence__gt=LIKELY, image__status=Image.Status.ACTIVE
        )
        .values_list("label_class")
        .annotate(images=Count("id"), settled=Count("id", filter=Q(settled=True)))
        .order_by()
    )
    found = {label_class: (images, settled) for label_class, images, settled in rows}
    return tuple(
        ClassCount(entry, *found.get(entry.id, (0, 0)), gold=gold.get(entry.id, 0))
        for entry in entries
    )


def round_records(*, project: Project, most: int | None = None) -> tuple[RoundRecord, ...]:
    """The latest Rounds, oldest first; all of them without ``most``."""
    rows = list(
        Round.objects.filter(project=project)
        .order_by("-number")
        .values(
            "number",
            "state",
            "outcome",
            "reason",
            "trigger",
            "opened_at",
            "finished_at",
            "snapshot__trainable",
            "snapshot__votes",
            "model_version__provisional",
            "model_version__serving",
            "model_version__metrics__accuracy",
            "model_version__metrics__ece",
            "model_version__metrics__images",
            "model_version__metrics__measured_on",
        )[:most]
    )
    return tuple(_record(dict(row)) for row in reversed(rows))


def _record(row: dict[str, Any]) -> RoundRecord:
    version = {
        name.rpartition("__")[2]: row.pop(name)
        for name in list(row)
        if name.startswith("model_version__")
    }
    return RoundRecord(
        labels=row.pop("snapshot__trainable"),
        votes=row.pop("snapshot__votes"),
        **row,
        accuracy=version["accuracy"],
        ece=version["ece"],
        measured=version["images"] or 0,
        measured_on=version["measured_on"] or "",
        provisional=bool(version["provisional"]),
        serving=bool(version["serving"]),
    )
