"""A project whose pictures have known classes, and people who label some of them as often as asked.

Every trial begins from the same rows: the database is put back to what it was, and what was
described of the pictures stays.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from django.contrib.auth import get_user_model
from django.db import connection
from numpy.typing import NDArray

from labelhub.annotators.services import annotator_for
from labelhub.exchange.services import import_images
from labelhub.projects.models import Gold, Image, LabelClass, Project
from labelhub.projects.services import create_project
from labelhub.rounds.queueing import mark_gold
from labelhub.votes.models import Vote
from labelhub.votes.services import NewVote, record_votes
from workers.simulate.data import Corpus

BEGIN = datetime(2026, 1, 5, 8, tzinfo=UTC)
PEOPLE = 20
LEAST_EDGE, MOST_EDGE = 16, 64
ASKED_ABOUT_WHAT_IS_SEEN = 0.6  # of the squares of a grid


@dataclass(frozen=True)
class Pool:
    """N images of a project in the order of their ids, and what they show."""

    project: Project
    images: NDArray[np.int64]  # (N,) ids
    truth: NDArray[np.int64]  # (N,) places in ``classes``
    holdout: NDArray[np.bool_]  # (N,)
    classes: tuple[LabelClass, ...]  # without none of these

    @property
    def places(self) -> int:
        """Classes as vectors have them, none of these included."""
        return len(self.classes) + 1


def make_pool(corpus: Corpus, *, images: int, recipe: str, steps: int, seed: int) -> Pool:
    """Import so many of the pictures through the product's own door."""
    rng = np.random.default_rng([seed, 0])
    chosen = rng.permutation(len(corpus.labels))[:images]
    edge = min(max(-(-max(corpus.images.shape[1:3]) // 4) * 4, LEAST_EDGE), MOST_EDGE)
    project = create_project(
        name="Trial",
        class_names=corpus.classes,
        recipe=recipe,
        image_size=edge,
        channels=corpus.channels,
        training_steps=steps,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npz"
        np.savez(path, images=corpus.images[chosen])
        import_images(project=project, source=path, now=BEGIN)
    rows = list(Image.objects.filter(project=project).order_by("pk"))
    numbers = [int(row.name.rstrip("]").rpartition("[")[2]) for row in rows]
    for number in range(PEOPLE):
        get_user_model().objects.create(username=f"person {number + 1}")
    return Pool(
        project=project,
        images=np.array([row.pk for row in rows]),
        truth=corpus.labels[chosen][numbers],
        holdout=np.array([row.holdout for row in rows]),
        classes=tuple(
            LabelClass.objects.filter(project=project, is_none=False).order_by("position")
        ),
    )


def give_gold(pool: Pool, places: NDArray[np.int64], *, now: datetime) -> None:
    """Declare the true class of these images, as an admin would."""
    gold = {int(pool.images[one]): pool.classes[pool.truth[one]] for one in places}
    mark_gold(
        project=pool.project, gold=gold, source=Gold.Source.ADMIN, created_by_id=None, now=now
    )


def give_votes(
    pool: Pool,
    places: NDArray[np.int64],
    *,
    accuracy: float,
    rng: np.random.Generator,
    now: datetime,
    each: int = 1,
    grids: bool = False,
) -> None:
    """So many people say what each of these images is, right with ``accuracy``: by a choice, or on
    ``grids`` by a yes or no, which is a yes where they are asked about what they see."""
    said: dict[int, list[NewVote]] = {person: [] for person in range(PEOPLE)}
    for place in places:
        for person in rng.permutation(PEOPLE)[:each]:
            seen = int(pool.truth[place])
            if rng.random() >= accuracy:
                seen = _another(seen, pool, rng)
            asked = seen
            if grids and rng.random() >= ASKED_ABOUT_WHAT_IS_SEEN:
                asked = _another(seen, pool, rng)
            said[int(person)].append(
                NewVote(
                    image_id=int(pool.images[place]),
                    label_class_id=pool.classes[asked].pk,
                    answer=asked == seen,
                    kind=Vote.Kind.YES_NO if grids else Vote.Kind.CHOICE,
                )
            )
    for person, votes in said.items():
        if votes:
            _record(pool, person, votes, now)


def _another(label: int, pool: Pool, rng: np.random.Generator) -> int:
    return (label + int(rng.integers(1, len(pool.classes)))) % len(pool.classes)


def _record(pool: Pool, person: int, votes: list[NewVote], now: datetime) -> None:
    user = get_user_model().objects.get(username=f"person {person + 1}")
    annotator = annotator_for(project_slug=pool.project.slug, key=None, user_id=user.pk, now=BEGIN)
    record_votes(project=pool.project, annotator=annotator, votes=votes, challenge="trial", now=now)


class Kept:
    """The rows of the database as they were once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as copy:
            connection.ensure_connection()
            connection.connection.backup(copy)

    def put_back(self) -> None:
        """Let everything that was written since be forgotten."""
        with self._open() as copy:
            copy.backup(connection.connection)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        copy = sqlite3.connect(self._path)
        try:
            yield copy
        finally:
            copy.close()
