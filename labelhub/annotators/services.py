"""Writes of Annotators: who is asking, and how well they answer what is known."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from labelhub.annotators.models import Annotator
from labelhub.annotators.skill import Skill
from labelhub.projects.models import Progress, Project
from labelhub.projects.prepared import PreparedSelect, columns, instance
from labelhub.projects.rows import update_rows


class ProjectNotFound(LookupError):
    """No project has this slug."""


_PARTS = (
    (Annotator, columns(Annotator)),
    (Project, columns(Project, "project__")),
    (Progress, columns(Progress, "project__progress__")),
)
_COLUMNS = tuple(name for _, names in _PARTS for name in names)
_by_key = PreparedSelect(
    lambda key, slug: Annotator.objects.filter(key=key, project__slug=slug).values_list(*_COLUMNS)
)
_by_user = PreparedSelect(
    lambda user, slug: Annotator.objects.filter(user_id=user, project__slug=slug).values_list(
        *_COLUMNS
    )
)


def _annotator(row: Sequence[object]) -> Annotator:
    """The Annotator of a row of ``_COLUMNS``, with its project and its progress loaded."""
    first, second = len(_PARTS[0][1]), len(_PARTS[0][1]) + len(_PARTS[1][1])
    annotator = instance(Annotator, row[:first])
    annotator.project = instance(Project, row[first:second])
    annotator.project.progress = instance(Progress, row[second:])
    return annotator


def annotator_for(
    *, project_slug: str, key: str | None, user_id: int | None, now: datetime
) -> Annotator:
    """The Annotator who holds this key in this project, else the user's own, else a new one.

    ``annotator.project`` and its progress are loaded. One query when the key is known. Raises
    ProjectNotFound.
    """
    if key and (rows := _by_key.rows(key=key, slug=project_slug)):
        return _annotator(rows[0])
    if user_id and (rows := _by_user.rows(user=user_id, slug=project_slug)):
        return _annotator(rows[0])
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


def note_who_counts(*, project: Project, silent: Sequence[int]) -> None:
    """Keep in the rows whose votes weigh nothing by the annotator model in force (ids)."""
    everybody = Annotator.objects.filter(project=project)
    everybody.filter(counts=False).exclude(pk__in=silent).update(counts=True)
    everybody.filter(counts=True, pk__in=silent).update(counts=False)


def record_grading(*, annotator: Annotator, skill: Skill) -> None:
    """Write what the latest graded grids say, counted anew by the caller."""
    names = ("graded_yes", "graded_hits", "graded_no", "graded_false_alarms", "id")
    row = (skill.yes, skill.hits, skill.no, skill.false_alarms, annotator.pk)
    update_rows(Annotator, names, [row])
