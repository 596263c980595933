"""How far each project is, what people's time costs in it and how well they do: noted by a
scheduled job, so that no page and no grid has to count or look it up.
"""

from datetime import datetime

from django.db.models import Count, Q, QuerySet

from labelhub.annotators.selectors import doubt
from labelhub.projects.models import Image, Progress, Project
from labelhub.rounds.contested import is_contested
from labelhub.rounds.models import Candidate
from labelhub.votes.models import Consensus, Vote
from labelhub.votes.parameters import latest_costs


def count_progress(*, now: datetime) -> None:
    """Count every project anew, and write what changed."""
    for project in Project.objects.select_related("progress"):
        noted, shown = _noted(project), project.progress
        if any(getattr(shown, name) != value for name, value in noted.items()):
            Progress.objects.filter(pk=shown.pk).update(**noted, counted_at=now)


def _noted(project: Project) -> dict[str, object]:
    """The fields of its Progress as they should be."""
    active = Consensus.objects.filter(project=project, image__status=Image.Status.ACTIVE)
    counts = active.aggregate(
        images=Count("id"),
        contested=Count("id", filter=is_contested(project)),  # before "settled" is a count
        voted=Count("id", filter=Q(humans__gt=0)),
        settled=Count("id", filter=Q(settled=True)),
    )
    costs = latest_costs(project=project)
    return {
        **counts,
        "found": _found(project, active),
        "votes": Vote.objects.filter(project=project, retraction__isnull=True).count(),
        "tile_seconds": costs.tile,
        "choice_seconds": costs.choice,
        "doubt": round(doubt(project=project), 3),
    }


def _found(project: Project, active: QuerySet[Consensus]) -> dict[str, int]:
    """Settled images of each class, by its id as JSON has it, where a grid can ask for more.

    What is contested or tells nothing is not worth a grid.
    """
    waiting = Candidate.objects.filter(
        project=project, queue=Candidate.Queue.OPEN, settled=False, priority__gt=0
    )
    if project.asks_choices:
        waiting = waiting.filter(form=Candidate.Form.GRID)
    settled = active.filter(settled=True).values_list("label_class").annotate(Count("id"))
    found = dict(settled)
    asked = waiting.values_list("label_class", flat=True).order_by("label_class").distinct()
    return {str(label_class_id): found.get(label_class_id, 0) for label_class_id in asked}
