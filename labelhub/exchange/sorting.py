"""What is new in a batch of clean pictures, what is there already, and what contradicts."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from labelhub.exchange.items import Refused
from labelhub.projects.models import Image, LabelClass, Project
from labelhub.projects.services import NewImage


@dataclass(frozen=True)
class Incoming:
    """A clean picture and, where its folder is believed, its class."""

    picture: NewImage
    label_class: LabelClass | None


@dataclass
class Sorted:
    """A batch, ready to be written. ``gold`` maps ids of images there already to their class."""

    fresh: dict[str, Incoming] = field(default_factory=dict)  # by content hash
    duplicates: int = 0
    gold: dict[int, LabelClass] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)


def sort_batch(
    *, project: Project, batch: Iterable[Incoming], into: Sorted | None = None
) -> Sorted:
    """Compare pictures with the project's and with each other, in their order.

    The first word on the class of a picture stays; a later one that contradicts is refused.
    """
    found = Sorted() if into is None else into
    batch = list(batch)
    held = {
        row.sha256: row
        for row in Image.objects.filter(
            project=project, sha256__in={one.picture.sha256 for one in batch}
        ).select_related("gold__label_class")
    }
    for one in batch:
        _sort(one, held.get(one.picture.sha256), found)
    return found


def _sort(one: Incoming, row: Image | None, found: Sorted) -> None:
    """``row`` is the image that shows the same picture, where the project has one."""
    first = found.fresh.get(one.picture.sha256)
    if row is not None:
        twin, told = row.name, _class_of(row, found)
    elif first is not None:
        twin, told = first.picture.name, first.label_class
    else:
        found.fresh[one.picture.sha256] = one
        return
    if told is not None and one.label_class not in (None, told):
        found.refused.append(_contradiction(one, twin=twin, told=told))
        return
    found.duplicates += 1
    if told is None and one.label_class is not None:
        if row is None:
            found.fresh[one.picture.sha256] = one
        else:
            found.gold[row.pk] = one.label_class


def _class_of(row: Image, found: Sorted) -> LabelClass | None:
    """The class that an image is Gold of, or becomes Gold of in this batch."""
    if hasattr(row, "gold"):
        return row.gold.label_class
    return found.gold.get(row.pk)


def _contradiction(one: Incoming, *, twin: str, told: LabelClass) -> Refused:
    return Refused(
        one.picture.name,
        f'the same picture as "{twin}", which is Gold of class "{told.key}"',
    )
