"""Pictures in: each file of a source is cleaned, stored, and becomes an Image to be labelled.

A batch is all or nothing: its pictures lie safely in the folder before their rows are committed.
An import that was interrupted left whole batches behind; the same import again adds the rest.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from django.db import transaction

from labelhub.exchange.classes import ClassFolders, NoSuchClass
from labelhub.exchange.items import Item, Refused
from labelhub.exchange.sorting import Incoming, Sorted, sort_batch
from labelhub.exchange.sources import open_source
from labelhub.projects.likeness import fingerprint
from labelhub.projects.models import Gold, Image, Project
from labelhub.projects.pictures import (
    CleanPicture,
    PictureRejected,
    clean,
    clean_array,
    store,
    sync,
)
from labelhub.projects.services import NewImage, add_images, take_turn
from labelhub.rounds.holdout import top_up_holdout
from labelhub.rounds.queueing import mark_gold, open_for_labelling, show_examples

BATCH = 500
EXAMPLES = 2  # pictures beside a question; they grade nobody
LEAST_GOLD = 6  # that a class has before two of them become its examples


@dataclass
class ImportReport:
    """What became of each file: ``read`` = ``added`` + ``duplicates`` + those rejected.

    ``gold`` is how many of the pictures, new or there already, became Gold.
    """

    read: int = 0
    added: int = 0
    duplicates: int = 0
    gold: int = 0
    rejected: list[Refused] = field(default_factory=list)

    def count(self, batch: Sorted) -> None:
        """Count what became of the pictures of a batch."""
        self.added += len(batch.fresh)
        self.duplicates += batch.duplicates
        self.gold += len(batch.gold) + sum(
            one.label_class is not None for one in batch.fresh.values()
        )
        self.rejected += batch.refused


def import_images(
    *,
    project: Project,
    source: Path,
    source_format: str = "auto",
    gold: bool = False,
    dry_run: bool = False,
    now: datetime,
    report: ImportReport | None = None,
    on_progress: Callable[[int], None] = lambda done: None,
) -> ImportReport:
    """Take the pictures of a folder, zip or NPZ into a project.

    With ``gold`` the folder (or label) of a picture is its class for certain, also for pictures
    that are in the project already; without, folders say nothing. ``dry_run`` reads and checks
    everything and writes nothing. ``on_progress`` gets the files done since the last call.
    ``report`` is filled as batches are committed, so that a caller knows what was kept when this
    raises: SourceError for a source that cannot be read, OSError for a full disk.
    """
    report = ImportReport() if report is None else report
    classes = ClassFolders(project) if gold else None
    rehearsed = Sorted()
    with open_source(source, source_format) as items:
        for batch in _batches(_cleaned(items, classes, keep=not dry_run)):
            pictures = [one for one in batch if isinstance(one, Incoming)]
            if dry_run:
                sort_batch(project=project, batch=pictures, into=rehearsed)
            else:
                report.count(_commit(project, pictures, now))
            report.read += len(batch)
            report.rejected += [one for one in batch if isinstance(one, Refused)]
            on_progress(len(batch))
    if dry_run:
        report.count(rehearsed)
        return report
    if gold:
        _choose_examples(project)
    return report


def _batches(found: Iterator[Incoming | Refused]) -> Iterator[list[Incoming | Refused]]:
    while batch := list(islice(found, BATCH)):
        yield batch


def _cleaned(
    items: Iterator[Item | Refused], classes: ClassFolders | None, *, keep: bool
) -> Iterator[Incoming | Refused]:
    """Clean pictures one by one, and store them where they are to be kept."""
    for item in items:
        if isinstance(item, Refused):
            yield item
            continue
        try:
            label_class = classes.required(item) if classes else None
            picture = _clean(item)
        except NoSuchClass as error:
            yield Refused(item.name, str(error))
        except PictureRejected as refusal:
            yield Refused(item.name, refusal.reason)
        else:
            if keep:
                store(picture)
            look = fingerprint(picture.pixels)
            new = NewImage(picture.sha256, picture.name, picture.width, picture.height, look)
            yield Incoming(new, label_class)


def _clean(item: Item) -> CleanPicture:
    if isinstance(item.content, bytes):
        return clean(item.content, item.name)
    return clean_array(item.content, item.name)


def _commit(project: Project, pictures: list[Incoming], now: datetime) -> Sorted:
    """Write one batch: images with their first Consensus and place in the queues, Gold, holdout."""
    sync()
    with transaction.atomic():
        take_turn(project=project)
        batch = sort_batch(project=project, batch=pictures)
        added = add_images(
            project=project, pictures=[one.picture for one in batch.fresh.values()], now=now
        ).added
        classes = {row.pk: batch.fresh[row.sha256].label_class for row in added}
        gold = {image_id: row for image_id, row in classes.items() if row is not None}
        open_for_labelling(project=project, images=added, gold=gold, now=now)
        mark_gold(
            project=project,
            gold=batch.gold,
            source=Gold.Source.IMPORT,
            created_by_id=None,
            now=now,
        )
        top_up_holdout(project=project, now=now)  # here: a Round may read these at any moment
    return batch


@transaction.atomic
def _choose_examples(project: Project) -> None:
    """Show the first Gold beside the question of each class that has no examples yet."""
    take_turn(project=project)
    for label_class in project.label_classes.filter(is_none=False, examples__isnull=True):
        known = Image.objects.filter(gold__label_class=label_class).order_by("pk")
        if known.count() >= LEAST_GOLD:
            shown = known.filter(holdout=False)[:EXAMPLES]
            show_examples(label_class=label_class, images=list(shown))
