"""Writes of the lowest room: projects with their classes, images, gold and holdout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Max

from labelhub.projects.folds import RECENT, folds_of
from labelhub.projects.models import (
    Example,
    Gold,
    Image,
    LabelClass,
    Progress,
    Project,
)
from labelhub.projects.naming import class_keys, folded, key_for

NONE_KEY = "none-of-these"
NAME_SHOWN = 40  # letters of a name in an error
HOLDOUT_SHARE = 0.025
HOLDOUT_LEAST, HOLDOUT_MOST = 150, 2000
HOLDOUT_SHARE_MOST = 0.20
HOLDOUT_ENOUGH = 100  # settled images from which the holdout speaks


class ProjectError(ValueError):
    """A project cannot be made as asked; the message names the culprit."""


class GoldContradiction(ValueError):
    """An image is Gold of another class already; the message names both."""


@dataclass(frozen=True)
class NewImage:
    """A cleaned picture that is stored already and waits for its row."""

    sha256: str
    name: str
    width: int
    height: int
    fingerprint: int | None = None  # how it looks, as ``likeness`` compares it


@dataclass(frozen=True)
class AddedImages:
    """``added`` are new rows; ``duplicates`` are the rows that held the picture before."""

    added: list[Image]
    duplicates: list[Image]


def create_project(
    *,
    name: str,
    class_names: Sequence[str],
    question: str = "",
    slug: str | None = None,
    **settings: object,
) -> Project:
    """Make a Project, its classes in the order given, and *none of these* as the last.

    ``question`` is that of every class, with ``{name}`` where the class is named; without one, the
    usual one is asked. ``settings`` are fields of Project. Raises ProjectError.
    """
    names = _class_names(class_names)
    project = Project(name=name, slug=_slug(name, slug), **settings)
    try:
        project.full_clean()
    except ValidationError as error:
        raise ProjectError(f"project {_begin(name)}: {_words_of(error)}") from error
    classes = _classes_of(project, names, question)
    for row in classes:
        _check(row)
    with transaction.atomic():
        project.save(force_insert=True)
        LabelClass.objects.bulk_create(classes)
        Progress.objects.create(project=project)
    return project


def _classes_of(project: Project, names: Sequence[str], question: str) -> list[LabelClass]:
    """The rows to be written, and *none of these*."""
    keys = class_keys(names, taken={NONE_KEY})
    rows = [
        LabelClass(project=project, key=key, name=name, question=question, position=position)
        for position, (key, name) in enumerate(zip(keys, names, strict=True))
    ]
    none = LabelClass(
        project=project, key=NONE_KEY, name="none of these", position=len(rows), is_none=True
    )
    return [*rows, none]


def _check(row: LabelClass) -> None:
    """Raises ProjectError for a class that its table, or its own rule, would not take."""
    try:
        row.clean_fields(exclude={"project"})
        row.clean()
    except ValidationError as error:
        raise ProjectError(f"class {_begin(row.name)}: {_words_of(error)}") from error


def _slug(name: str, given: str | None) -> str:
    """The place in addresses that was asked for, or else one from the name. Raises ProjectError."""
    if not (given or folded(name)):
        raise ProjectError(f"project name {name!r}: give it at least one letter or digit")
    taken = set(Project.objects.values_list("slug", flat=True))
    slug = given or key_for(name, otherwise="project", taken=taken)
    if slug in taken:
        raise ProjectError(f"there is a project {slug!r} already")
    return slug


def _class_names(class_names: Sequence[str]) -> list[str]:
    """The names as they are shown. Raises ProjectError where they cannot be told apart."""
    names: dict[str, str] = {}
    for raw in class_names:
        name = raw.strip()
        same = folded(name)
        if not same:
            raise ProjectError(f"class {raw!r}: a class needs a name with a letter or digit")
        if same in names or same == NONE_KEY:
            raise ProjectError(f"class {_begin(name)} is there twice")
        names[same] = name
    if len(names) < 2:
        raise ProjectError(
            "a project needs at least two classes to tell apart; "
            f"got {', '.join(names) or 'none'} ('none of these' comes by itself)"
        )
    return list(names.values())


def _begin(name: str) -> str:
    """A name as errors have it, which are one line."""
    return repr(name if len(name) <= NAME_SHOWN else f"{name[:NAME_SHOWN]}…")


def _words_of(error: ValidationError) -> str:
    return "; ".join(f"{field}: {' '.join(words)}" for field, words in error.message_dict.items())


def pause_project(*, project: Project) -> None:
    """Serve no more grids of the project, and open no Round of it by the schedule."""
    Project.objects.filter(pk=project.pk).update(status=Project.Status.PAUSED)


def resume_project(*, project: Project) -> None:
    """Serve grids of the project again, and keep its schedule."""
    Project.objects.filter(pk=project.pk).update(status=Project.Status.ACTIVE)


def take_turn(*, project: Project) -> None:
    """Make writers of a project's images and versions wait for each other, until the transaction
    ends; votes do not wait."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def add_images(*, project: Project, pictures: Sequence[NewImage], now: datetime) -> AddedImages:
    """Insert the pictures that the project does not hold yet, each once."""
    wanted = {picture.sha256: picture for picture in pictures}
    with transaction.atomic():
        held = {
            image.sha256: image
            for image in Image.objects.filter(project=project, sha256__in=list(wanted))
        }
        missing = [picture for picture in wanted.values() if picture.sha256 not in held]
        fresh = [
            Image(
                project=project,
                sha256=picture.sha256,
                name=picture.name[-255:],
                width=picture.width,
                height=picture.height,
                fold=fold,
                fingerprint=picture.fingerprint,
                created_at=now,
            )
            for picture, fold in zip(missing, _folds(project, missing), strict=True)
        ]
        Image.objects.bulk_create(fresh)
    return AddedImages(added=fresh, duplicates=list(held.values()))


def _folds(project: Project, pictures: Sequence[NewImage]) -> list[int]:
    """The fold of each, by what it looks like and the images that came before."""
    last = Image.objects.aggregate(last=Max("pk"))["last"] or 0
    recent = Image.objects.filter(project=project, pk__gt=last - RECENT).order_by("-pk")
    return folds_of(
        [(picture.sha256, picture.fingerprint) for picture in pictures],
        earlier=list(recent.values_list("fingerprint", "fold")),
    )


def record_gold(
    *,
    gold: Mapping[int, LabelClass],
    source: Gold.Source,
    created_by_id: int | None,
    now: datetime,
) -> list[Gold]:
    """Write the class of each image id as known for certain. The same word twice is no change.

    Raises GoldContradiction when an image is Gold of another class.
    """
    with transaction.atomic():
        known = {row.image_id: row for row in Gold.objects.filter(image_id__in=list(gold))}
        for image_id, row in known.items():
            if row.label_class_id != gold[image_id].pk:
                raise GoldContradiction(
                    f"image {image_id} is Gold of class {row.label_class.key!r} already, "
                    f"not {gold[image_id].key!r}"
                )
        rows = [
            Gold(
                image_id=image_id,
                label_class=label_class,
                source=source,
                created_by_id=created_by_id,
                created_at=now,
            )
            for image_id, label_class in gold.items()
            if image_id not in known
        ]
        return Gold.objects.bulk_create(rows)


def add_examples(*, label_class: LabelClass, images: Sequence[Image]) -> None:
    """Show these pictures beside the question of the class; they no longer grade people."""
    with transaction.atomic():
        held = label_class.examples.count()
        Example.objects.bulk_create(
            Example(label_class=label_class, image=image, position=held + offset)
            for offset, image in enumerate(images)
        )
        touch_catalogue(project_id=label_class.project_id)


def touch_catalogue(*, project_id: int) -> None:
    """Tell every process that the classes, their texts or their examples changed."""
    Project.objects.filter(pk=project_id).update(catalogue_version=F("catalogue_version") + 1)


def holdout_target(images: int) -> int:
    """How many of so many images are held out: 2.5 %, 150 to 2,000, never over 20 %."""
    wanted = min(max(round(images * HOLDOUT_SHARE), HOLDOUT_LEAST), HOLDOUT_MOST)
    return min(wanted, int(images * HOLDOUT_SHARE_MOST))


def confirm_gold(*, image: Image, confirmed_by_id: int | None, now: datetime) -> None:
    """Note that an admin has looked at Gold and found it right. Raises Gold.DoesNotExist."""
    with transaction.atomic():
        gold = Gold.objects.select_for_update().get(image=image)
        gold.source, gold.created_by_id, gold.created_at = Gold.Source.ADMIN, confirmed_by_id, now
        gold.save(update_fields=["source", "created_by", "created_at"])
