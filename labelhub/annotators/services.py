"""Writes of Annotators: who is asking, and how well they answer what is known."""

import secrets
from datetime import datetime

from django.db import transaction

from labelhub.annotators.models import Annotator
from labelhub.annotators.skill import Skill
from labelhub.projects.models import Project


class ProjectNotFound(LookupError):
    """No project has this slug."""


def annotator_for(
    *, project_slug: str, key: str | None, user_id: int | None, now: datetime
) -> Annotator:
    """The Annotator who holds this key in this project, else the user's own, else a new one.

    ``annotator.project`` and its progress are loaded. One query when the key is known. Raises
    ProjectNotFound.
    """
    known = Annotator.objects.select_related("project__progress").filter(project__slug=project_slug)
    if key and (annotator := known.filter(key=key).first()):
        return annotator
    if user_id and (annotator := known.filter(user_id=user_id).first()):
        return annotator
    project = Project.objects.select_related("progress").filter(slug=project_slug).first()
    if project is None:
        raise ProjectNotFound(f"there is no project {project_slug!r}")
    with transaction.atomic():
        if user_id is None:
            return Annotator.objects.create(project=project, key=_new_key(), created_at=now)
        # Two first requests of one user at once: the constraint keeps one, both get it.
        annotator, _ = Annotator.objects.get_or_create(
            project=project, user_id=user_id, defaults={"key": _new_key(), "created_at": now}
        )
        annotator.project = project
        return annotator


def _new_key() -> str:
    return secrets.token_urlsafe(18)


def record_grading(*, annotator: Annotator, skill: Skill) -> None:
    """Write what the latest graded grids say, counted anew by the caller."""
    Annotator.objects.filter(pk=annotator.pk).update(
        graded_yes=skill.yes,
        graded_hits=skill.hits,
        graded_no=skill.no,
        graded_false_alarms=skill.false_alarms,
    )
