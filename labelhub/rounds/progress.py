"""How far each project is: counted by a scheduled job, so that no page and no grid has to count."""

from datetime import datetime

from django.db.models import Count, Q

from labelhub.projects.models import Image, Progress, Project
from labelhub.rounds.contested import is_contested
from labelhub.votes.models import Consensus, Vote


def count_progress(*, now: datetime) -> None:
    """Count every project anew, and write what changed."""
    for project in Project.objects.select_related("progress"):
        active = Consensus.objects.filter(project=project, image__status=Image.Status.ACTIVE)
        counts = active.aggregate(
            images=Count("id"),
            contested=Count("id", filter=is_contested(project)),  # before "settled" is a count
            voted=Count("id", filter=Q(humans__gt=0)),
            settled=Count("id", filter=Q(settled=True)),
        )
        counts["votes"] = Vote.objects.filter(project=project, retraction__isnull=True).count()
        shown = project.progress
        if any(getattr(shown, name) != count for name, count in counts.items()):
            Progress.objects.filter(pk=shown.pk).update(**counts, counted_at=now)
