"""Tiny hand-made factories: a project with pictures that need no files, and people who click."""

from copy import copy
from datetime import UTC, datetime
from hashlib import sha256
from random import Random

from labelhub.annotators.models import Annotator
from labelhub.annotators.services import annotator_for
from labelhub.projects.models import Image, Project
from labelhub.projects.services import NewImage, add_images, create_project
from labelhub.rounds.models import Candidate
from labelhub.rounds.queueing import open_for_labelling
from labelhub.votes.models import Consensus

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
SHAPES = ("circle", "cross", "triangle")


def shapes_project(
    *, name: str = "Shapes", images: int = 60, gold_per_class: int = 4, **settings: object
) -> Project:
    """A project over ``SHAPES`` with image rows; the class of image n is SHAPES[n % 3].

    The first images of each class are Gold. It asks no choices unless ``settings`` say so.
    """
    project = create_project(name=name, class_names=SHAPES, **{"asks_choices": False, **settings})
    add_shapes(project, count=images, gold_per_class=gold_per_class)
    return project


def add_shapes(project: Project, *, count: int, gold_per_class: int = 0, start: int = 0) -> None:
    """Add image rows numbered from ``start``."""
    pictures = [
        NewImage(
            sha256=sha256(f"{project.slug} {number}".encode()).hexdigest(),
            name=f"{SHAPES[number % 3]}-{number}.png",
            width=32,
            height=32,
        )
        for number in range(start, start + count)
    ]
    images = add_images(project=project, pictures=pictures, now=NOON).added
    classes = {row.key: row for row in project.label_classes.all()}
    gold = {image.pk: classes[true_key(image)] for image in images[: 3 * gold_per_class]}
    open_for_labelling(project=project, images=images, gold=gold, now=NOON)


def add_copies(project: Project, *, count: int) -> None:
    """Add open images by the tens of thousands: rows alike, written in bulk."""
    model = Candidate.objects.filter(project=project, queue=Candidate.Queue.OPEN).first()
    assert model is not None
    consensus = model.image.consensus
    for start in range(0, count, 10_000):
        images = Image.objects.bulk_create(
            Image(
                project=project, sha256=f"{number:064x}", name="copy", width=32, height=32, fold=0
            )
            for number in range(start, min(start + 10_000, count))
        )
        for row in (model, consensus):
            row.pk = None
            type(row).objects.bulk_create(_copy_of(row, image) for image in images)


def _copy_of(row: Candidate | Consensus, image: Image) -> Candidate | Consensus:
    twin = copy(row)
    twin.image = image
    return twin


def true_key(image: Image) -> str:
    """The class that the picture shows, by its name."""
    return image.name.split("-")[0]


def visitor(project: Project) -> Annotator:
    """A new anonymous Annotator with a fresh reading of its project."""
    return annotator_for(project_slug=project.slug, key=None, user_id=None, now=NOON)


def reread(annotator: Annotator) -> Annotator:
    """The Annotator as the next request finds it."""
    return annotator_for(
        project_slug=annotator.project.slug, key=annotator.key, user_id=None, now=NOON
    )


def dice(seed: int = 0) -> Random:
    return Random(seed)
