"""A project over really drawn and stored pictures, for journeys in a browser."""

from collections.abc import Sequence

from django.utils import timezone

from fixtures.shapes import draw_shapes
from labelhub.challenges.models import Challenge
from labelhub.projects.models import Project
from labelhub.projects.pictures import clean_array, store
from labelhub.projects.services import NewImage, add_examples, add_images, create_project
from labelhub.rounds.queueing import open_for_labelling

SEED = 7
EXAMPLES_PER_CLASS = 2
GOLD_PER_CLASS = 6


def drawn_project(
    *,
    name: str = "Shapes",
    images: int = 120,
    more_classes: Sequence[str] = (),
    **settings: object,
) -> Project:
    """A project over the demo's shapes: examples first, then Gold, then what is to be asked.

    Of ``more_classes`` there is no picture. It asks no choices unless ``settings`` say so.
    """
    drawn = draw_shapes(count=images, seed=SEED)
    project = create_project(
        name=name,
        class_names=[*drawn.classes, *more_classes],
        question="Select all squares with a {name}",
        description="Simple shapes on noisy ground, drawn by a script.",
        **{"asks_choices": False, **settings},
    )
    pictures = [clean_array(pixels, f"{n}.png") for n, pixels in enumerate(drawn.images)]
    for picture in pictures:
        store(picture)
    new = [NewImage(p.sha256, p.name, p.width, p.height) for p in pictures]
    rows = add_images(project=project, pictures=new, now=timezone.now()).added
    classes = {row.key: row for row in project.label_classes.all()}
    gold = {}
    for place, key in enumerate(drawn.classes):
        of_class = [row for row in rows if drawn.labels[int(row.name.split(".")[0])] == place]
        add_examples(label_class=classes[key], images=of_class[:EXAMPLES_PER_CLASS])
        for row in of_class[EXAMPLES_PER_CLASS : EXAMPLES_PER_CLASS + GOLD_PER_CLASS]:
            gold[row.pk] = classes[key]
    shown = {row.pk for row in rows if hasattr(row, "example")}
    asked = [row for row in rows if row.pk not in shown]
    open_for_labelling(project=project, images=asked, gold=gold, now=timezone.now())
    project.progress.images = len(asked)
    project.progress.save(update_fields=["images"])
    return project


def right_places(challenge: Challenge) -> list[int]:
    """What careful Ada would select."""
    drawn = draw_shapes(count=challenge.project.images.count(), seed=SEED)
    assert challenge.label_class is not None
    wanted = drawn.classes.index(challenge.label_class.key)
    return [
        tile.place
        for tile in challenge.tiles.select_related("image").order_by("place")
        if drawn.labels[int(tile.image.name.removesuffix(".png"))] == wanted
    ]
