"""Rounds in the admin: what each did and why; and a button to start one now."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from labelhub.projects.admin import ProjectAdmin
from labelhub.projects.models import Project
from labelhub.projects.readonly import ReadOnlyAdmin
from labelhub.rounds.models import (
    Candidate,
    LabelDoubts,
    ModelVersion,
    Prediction,
    RankingShard,
    Round,
)
from labelhub.rounds.rollback import roll_back
from labelhub.rounds.services import RoundIsOpen, TooFewLabels, open_round


@admin.register(Round)
class RoundAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "project", "state", "outcome", "reason", "trigger", "opened_at")
    list_filter = ("project", "state", "outcome")
    list_select_related = ("project",)


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "project", "serving", "provisional", "promoted_at", "recipe")
    list_filter = ("project", "serving")
    list_select_related = ("project",)


@admin.register(RankingShard)
class RankingShardAdmin(ReadOnlyAdmin):
    list_display = ("model_version", "number", "tries", "trouble", "hinted_at", "finished_at")
    list_select_related = ("model_version",)


@admin.register(Prediction)
class PredictionAdmin(ReadOnlyAdmin):
    list_display = ("image", "model_version", "entropy")
    list_select_related = ("image", "model_version")
    exclude = ("probabilities", "prior")


@admin.register(LabelDoubts)
class LabelDoubtsAdmin(ReadOnlyAdmin):
    list_display = ("project", "model_version", "labels", "suspected", "found_at")
    list_select_related = ("project", "model_version")


@admin.register(Candidate)
class CandidateAdmin(ReadOnlyAdmin):
    list_display = ("image", "queue", "label_class", "priority", "asked_at", "leased_until")
    list_filter = ("project", "queue")
    list_select_related = ("image", "label_class")


@admin.action(description="Run a Round now", permissions=["change"])
def run_round_now(_: ProjectAdmin, request: HttpRequest, projects: QuerySet[Project]) -> None:
    """Open a Round in each chosen project; says so where one is open or labels are too few."""
    for project in projects:
        try:
            opened = open_round(
                project=project,
                trigger=Round.Trigger.PERSON,
                opened_by_id=request.user.pk,
                now=timezone.now(),
            )
            messages.success(request, f"{opened} of {project} is on its way.")
        except (RoundIsOpen, TooFewLabels) as error:
            messages.warning(request, str(error))


@admin.action(description="Serve the version before again", permissions=["change"])
def roll_back_now(_: ProjectAdmin, request: HttpRequest, projects: QuerySet[Project]) -> None:
    """Roll each chosen project back by one promoted version."""
    for project in projects:
        try:
            before, after = roll_back(project=project, to_number=None, now=timezone.now())
            messages.success(request, f"{project} goes back from {before} to {after}.")
        except LookupError as error:
            messages.warning(request, str(error))


ProjectAdmin.actions = [run_round_now, roll_back_now]  # type: ignore[misc]  # added from the room that knows Rounds
