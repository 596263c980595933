"""Contested images: many people disagree, so another one hardly helps. An admin is to look."""

from django.db.models import Q, QuerySet

from labelhub.projects.models import Image, Project
from labelhub.rounds.queueing import MANY_PEOPLE
from labelhub.votes.models import Consensus


def is_contested(project: Project) -> Q:
    """Of a Consensus of the project: many people are behind it, and no class is sure.

    Examples are left out: nobody is asked about them, and they cannot become Gold.
    """
    return Q(
        settled=False,
        humans__gte=MANY_PEOPLE,
        confidence__lt=project.settle_threshold,
        image__example__isnull=True,
    )


def contested(*, project: Project) -> QuerySet[Consensus]:
    """The Consensus of each contested image, the most doubtful first."""
    rows = Consensus.objects.filter(
        is_contested(project), project=project, image__status=Image.Status.ACTIVE
    )
    return rows.order_by("-entropy", "image_id")
