"""Makes the world of a play: a project with the pictures imported and the seeds as Gold."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelhub.exchange.services import import_images
from labelhub.projects.models import Image, LabelClass, Project
from labelhub.projects.services import ProjectError, create_project
from workers.simulate.data import Corpus, SimulationError
from workers.simulate.people import People
from workers.simulate.play import BEGIN, World
from workers.simulate.scoring import Scorer

LEAST_EDGE, MOST_EDGE, EDGE_STEP = 16, 224, 4


@dataclass(frozen=True)
class Setting:
    """How the project of a play is set up; what is None is left as a new project has it."""

    seeds_per_class: int
    grid_edge: int
    recipe: str | None
    acquisition: str | None
    choices: bool
    grids: bool = True
    retrain_every_minutes: int | None = None
    seed: int = 0


def make_world(corpus: Corpus, people: People, setting: Setting) -> World:
    """Import everything through the product's own door. Raises SimulationError."""
    generator = np.random.default_rng([setting.seed, 0])
    seeds = corpus.seeds(setting.seeds_per_class, generator)
    project = new_project(corpus, setting)
    others = np.setdiff1d(np.arange(len(corpus.labels)), seeds)
    with tempfile.TemporaryDirectory() as folder:
        # The others first, as the demo does: the holdout is drawn from them, and no Gold is lost.
        bring_in(project, corpus, others, Path(folder) / "images.npz", gold=False)
        bring_in(project, corpus, seeds, Path(folder) / "seeds.npz", gold=True)
    named = Image.objects.filter(project=project).values_list("pk", "name")
    places = {"images.npz": others, "seeds.npz": seeds}
    image_of = {pk: _place(name, places) for pk, name in named}
    classes, none_class = _classes(project)
    known = set(seeds.tolist())
    truth = {pk: int(corpus.labels[place]) for pk, place in image_of.items() if place not in known}
    scorer = Scorer(project, truth, classes, len(corpus.labels))
    return World(project, people, image_of, classes, none_class, len(corpus.labels), scorer)


def new_project(corpus: Corpus, setting: Setting) -> Project:
    """A project over the classes of a corpus, still without pictures. Raises SimulationError."""
    edge = max(corpus.images.shape[1:3])
    edge = min(max(-(-edge // EDGE_STEP) * EDGE_STEP, LEAST_EDGE), MOST_EDGE)
    asked: dict[str, Any] = {
        "recipe": setting.recipe,
        "acquisition": setting.acquisition,
        "retrain_every_minutes": setting.retrain_every_minutes,
    }
    try:
        return create_project(
            name="Simulation",
            class_names=corpus.classes,
            image_size=edge,
            channels=corpus.channels,
            grid_edge=setting.grid_edge,
            asks_choices=setting.choices,
            **{name: value for name, value in asked.items() if value is not None},
        )
    except ProjectError as error:
        raise SimulationError(str(error)) from error


def bring_in(
    project: Project, corpus: Corpus, chosen: NDArray[np.int64], path: Path, *, gold: bool
) -> None:
    """Import some of the pictures, as Gold of their labels or without a label."""
    if not len(chosen):
        return
    np.savez(
        path,
        images=corpus.images[chosen],
        labels=corpus.labels[chosen],
        classes=np.array(corpus.classes),
    )
    import_images(project=project, source=path, gold=gold, now=BEGIN)


def _place(name: str, places: dict[str, NDArray[np.int64]]) -> int:
    """Where an image lies in the corpus: the importer names it ``file.npz[number]``."""
    file, _, number = name.rstrip("]").rpartition("[")
    return int(places[file][int(number)])


def _classes(project: Project) -> tuple[list[int], int]:
    """LabelClass ids in the order of the corpus, and that of *none of these*."""
    rows = LabelClass.objects.filter(project=project).order_by("position")
    ids = [row.pk for row in rows if not row.is_none]
    return ids, next(row.pk for row in rows if row.is_none)
