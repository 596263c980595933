"""Labels that are known to be wrong, through a real Round: how well they are found."""

import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelhub.projects.models import Image, Project
from labelhub.rounds.label_doubts import Settled, settled_labels
from labelhub.rounds.models import ModelVersion, Round
from labelhub.rounds.selectors import serving_version
from labelhub.rounds.services import TooFewLabels, open_round
from labelhub.votes.label_errors import Found
from workers.simulate.data import Corpus, SimulationError
from workers.simulate.play import BEGIN, work_off
from workers.simulate.world import Setting, bring_in, new_project


@dataclass(frozen=True)
class Planted:
    """A corpus whose labels are partly wrong, and which they are."""

    corpus: Corpus
    wrong: NDArray[np.bool_]  # (N,)


def planted_at_random(corpus: Corpus, *, share: float, seed: int) -> Planted:
    """So large a share of the labels is another class, any as likely as any other."""
    generator = np.random.default_rng(seed)
    count, classes = len(corpus.labels), len(corpus.classes)
    wrong = np.zeros(count, dtype=bool)
    wrong[generator.permutation(count)[: round(share * count)]] = True
    away = generator.integers(1, classes, count)
    labels = np.where(wrong, (corpus.labels + away) % classes, corpus.labels)
    return Planted(replace(corpus, labels=labels), wrong)


def planted_by_people(corpus: Corpus, recorded: list[list[int]]) -> Planted:
    """The first recorded label of each picture; the true one where nobody was asked."""
    first = [said[0] if said else true for said, true in zip(recorded, corpus.labels, strict=True)]
    labels = np.array(first, dtype=np.int64)
    return Planted(replace(corpus, labels=labels), labels != corpus.labels)


def measure(planted: Planted, setting: Setting) -> dict[str, Any]:
    """Import the labels as Gold, run a Round, and tell how well the wrong ones are found.

    Beside the product's order stand two that are used elsewhere: the probability of the label
    alone, and its normalised margin. Raises SimulationError.
    """
    project = new_project(planted.corpus, setting)
    every = np.arange(len(planted.wrong))
    with tempfile.TemporaryDirectory() as folder:
        bring_in(project, planted.corpus, every, Path(folder) / "images.npz", gold=True)
    settled = settled_labels(version=_taught(project))
    names = dict(Image.objects.filter(project=project).values_list("pk", "name"))
    places = [int(names[pk].rstrip("]").rpartition("[")[2]) for pk in settled.images.tolist()]
    return _scores(settled, planted.wrong[places])


def _taught(project: Project) -> ModelVersion:
    """The version of a Round that is done here, with its ranking."""
    try:
        opened = open_round(
            project=project, trigger=Round.Trigger.PERSON, opened_by_id=None, now=BEGIN
        )
    except TooFewLabels as error:
        raise SimulationError(str(error)) from error
    work_off(opened, BEGIN)
    version = serving_version(project=project)
    if version is None:
        opened.refresh_from_db()
        raise SimulationError(f"no version serves: {opened.reason}")
    return version


def _scores(settled: Settled, wrong: NDArray[np.bool_]) -> dict[str, Any]:
    found = settled.doubts()
    rows = np.arange(len(wrong))
    own = settled.priors[rows, settled.labels]
    margin = own - settled.priors[rows, found.likely]
    orders = {
        "labelhub": found.order,
        "self_confidence": np.argsort(own, kind="stable"),
        "normalised_margin": np.argsort(margin, kind="stable"),
    }
    try:
        by_order = {name: asdict(Found.of(order, wrong)) for name, order in orders.items()}
    except ValueError as error:
        raise SimulationError(str(error)) from error
    suspected = len(found.worst)
    return {
        "labels": len(wrong),
        "wrong": int(wrong.sum()),
        "suspected": suspected,
        "suspected_precision": float(wrong[found.worst].mean()) if suspected else 0.0,
        "suspected_recall": float(wrong[found.worst].sum() / wrong.sum()),
        "orders": by_order,
    }
