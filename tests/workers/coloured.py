"""A tiny project whose pictures are files that a network tells apart in a few steps: by colour."""

from datetime import UTC, datetime

import numpy as np

from labelhub.projects.models import Project
from labelhub.projects.pictures import clean_array, store
from labelhub.projects.services import NewImage, add_images, create_project
from labelhub.rounds.queueing import open_for_labelling

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
COLOURS = {"red": (200, 40, 40), "green": (40, 200, 40)}


def coloured_project(*, images: int = 24, gold_per_class: int = 8, **settings: object) -> Project:
    """Image n is of the colour n % 2; the first of each colour are Gold.

    Of the recipe ``seed``, with a short training, unless ``settings`` say so.
    """
    quick = {"recipe": "seed", "training_steps": 12, "image_size": 16, "asks_choices": False}
    project = create_project(name="Colours", class_names=list(COLOURS), **{**quick, **settings})
    noise = np.random.default_rng(0)
    clean = []
    for number in range(images):
        colour = list(COLOURS.values())[number % 2]
        pixels = np.array(colour) + noise.integers(-30, 30, (16, 16, 3))
        clean.append(clean_array(pixels.astype(np.uint8), f"{number}.png"))
    for picture in clean:
        store(picture)
    new = [NewImage(one.sha256, one.name, one.width, one.height) for one in clean]
    added = add_images(project=project, pictures=new, now=NOON).added
    classes = list(project.label_classes.order_by("position"))
    gold = {image.pk: classes[n % 2] for n, image in enumerate(added[: 2 * gold_per_class])}
    open_for_labelling(project=project, images=added, gold=gold, now=NOON)
    return project
