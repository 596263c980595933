"""Reads of the lowest room. The catalogue is cached in the process by its version in the row."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.db.models import QuerySet

from labelhub.projects.asking import Asked
from labelhub.projects.models import Example, Image, LabelClass, Project


@dataclass(frozen=True)
class CatalogueEntry:
    """One class as pages show it."""

    id: int
    key: str
    name: str
    asked: Asked
    position: int
    is_none: bool
    examples: tuple[int, ...]  # Image ids


@dataclass(frozen=True)
class Catalogue:
    """The classes of a Project, in the order of every probability vector."""

    entries: tuple[CatalogueEntry, ...]

    def entry(self, label_class_id: int) -> CatalogueEntry:
        """The entry of a class. Raises KeyError for a class of another project."""
        for entry in self.entries:
            if entry.id == label_class_id:
                return entry
        raise KeyError(label_class_id)

    @property
    def askable(self) -> tuple[CatalogueEntry, ...]:
        """The classes a grid can ask about: all but *none of these*."""
        return tuple(entry for entry in self.entries if not entry.is_none)


def catalogue(project: Project) -> Catalogue:
    """The classes of a project; costs queries only when they changed."""
    return _catalogue(project.pk, project.created_at, project.catalogue_version)


@lru_cache(maxsize=256)
def _catalogue(project_id: int, _created_at: datetime, _version: int) -> Catalogue:
    examples: dict[int, list[int]] = {}
    for label_class_id, image_id in Example.objects.filter(
        label_class__project_id=project_id, image__status=Image.Status.ACTIVE
    ).values_list("label_class_id", "image_id"):
        examples.setdefault(label_class_id, []).append(image_id)
    rows = LabelClass.objects.filter(project_id=project_id).order_by("position")
    return Catalogue(
        tuple(
            CatalogueEntry(
                id=row.pk,
                key=row.key,
                name=row.name,
                asked=row.asked,
                position=row.position,
                is_none=row.is_none,
                examples=tuple(examples.get(row.pk, ())),
            )
            for row in rows
        )
    )


def project_by_slug(slug: str) -> Project | None:
    """The project with its progress."""
    return Project.objects.select_related("progress").filter(slug=slug).first()


def projects_with_progress() -> QuerySet[Project]:
    """All projects with their progress, by name."""
    return Project.objects.select_related("progress").order_by("name")


def example_picture(*, project_slug: str, image_id: int) -> str | None:
    """Content hash of an example's picture; None for an image that is no example, or excluded."""
    return (
        Example.objects.filter(
            image_id=image_id,
            label_class__project__slug=project_slug,
            image__status=Image.Status.ACTIVE,
        )
        .values_list("image__sha256", flat=True)
        .first()
    )
