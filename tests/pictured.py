"""Projects with real pictures, small enough to train on in seconds."""

import numpy as np
from numpy.typing import NDArray

from labelhub.projects.models import Project
from labelhub.projects.pictures import clean_array, store
from labelhub.projects.services import NewImage, add_images, create_project
from labelhub.rounds.holdout import top_up_holdout
from labelhub.rounds.queueing import open_for_labelling
from labelhub.votes.services import NewVote, record_votes
from tests.factories import NOON, true_key, visitor

STRIPES = ("across", "down", "plain")
EDGE = 16


def draw(key: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(16, 16, 3) stripes one way, the other way, or none, with noise."""
    wave = np.where(np.arange(EDGE) % 4 < 2, 200, 60)
    flat = {
        "across": np.tile(wave[:, None], (1, EDGE)),
        "down": np.tile(wave[None, :], (EDGE, 1)),
        "plain": np.full((EDGE, EDGE), 130),
    }[key]
    noisy = flat[:, :, None] + rng.normal(0, 25, (EDGE, EDGE, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def striped_project(
    *,
    name: str = "Stripes",
    images: int = 90,
    gold_per_class: int = 6,
    holdout: bool = False,
    **settings: object,
) -> Project:
    """A project over real pictures whose class is in their name; trains in about a second.

    Of the recipe ``seed`` unless ``settings`` say so: there is no quicker one.
    """
    quick = {
        "recipe": "seed",
        "image_size": EDGE,
        "training_steps": 40,
        "retrain_min_labels": 20,
    }
    asked = {"asks_choices": False, **quick, **settings}
    project = create_project(name=name, class_names=STRIPES, **asked)
    rng = np.random.default_rng(0)
    pictures = []
    for number in range(images):
        key = STRIPES[number % 3]
        picture = clean_array(draw(key, rng), f"{key}-{number}.png")
        store(picture)
        pictures.append(NewImage(picture.sha256, picture.name, picture.width, picture.height))
    added = add_images(project=project, pictures=pictures, now=NOON).added
    classes = {row.key: row for row in project.label_classes.all()}
    gold = {image.pk: classes[true_key(image)] for image in added[: 3 * gold_per_class]}
    open_for_labelling(project=project, images=added, gold=gold, now=NOON)
    if holdout:
        top_up_holdout(project=project, now=NOON)
    return project


def vote_rightly(project: Project, count: int) -> None:
    """One careful person says yes to the true class of the first images without Gold."""
    classes = {row.key: row.pk for row in project.label_classes.all()}
    images = project.images.filter(gold__isnull=True).order_by("pk")[:count]
    record_votes(
        project=project,
        annotator=visitor(project),
        votes=[NewVote(image.pk, classes[true_key(image)], answer=True) for image in images],
        challenge="c",
        now=NOON,
    )
