"""Reads about Annotators."""

from labelhub.annotators import skill
from labelhub.annotators.models import Annotator
from labelhub.projects.models import Project

LATEST = 1000  # people: a crowd is what those who came last are


def doubt(*, project: Project) -> float:
    """How much those are to be graded who answer well, by how the latest people did."""
    latest = Annotator.objects.filter(project=project).order_by("-pk")[:LATEST]
    return skill.doubt(annotator.skill for annotator in latest)
