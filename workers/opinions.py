"""What every network of a new version says of images whose label is likely, taught or not: by this
the promotion gate sees a training that went wrong, also where no version serves yet."""

import logging
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from classifier.checkpoint import BadCheckpoint
from labelhub.projects.models import Project
from labelhub.rounds.selectors import serving_version
from workers.comparison import fair_to, in_service
from workers.promotion import Opinions
from workers.snapshot import Snapshot

logger = logging.getLogger(__name__)
MOST_IMAGES = 1000  # of them, evenly spaced: every network looks at each
Predictor = Callable[[NDArray[np.int64]], NDArray[np.float32]]


def opinions(
    *, project: Project, snapshot: Snapshot, served: Predictor, by_fold: Sequence[Predictor]
) -> Opinions:
    """Ask every network; the version in service where its files can still be read.

    The images are those that were taught and whose class is Gold, or likely by votes alone.
    """
    rows = np.flatnonzero(snapshot.trainable & snapshot.likely)
    if len(rows) > MOST_IMAGES:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_IMAGES).astype(np.int64)]
    images = snapshot.images[rows]
    empty = np.zeros((0, snapshot.targets.shape[1]), dtype=np.float32)
    return Opinions(
        labels=snapshot.labels[rows],
        folds=snapshot.folds[rows] % max(len(by_fold), 1),
        by_fold=np.stack([predict(images) if len(rows) else empty for predict in by_fold]),
        served=served(images) if len(rows) else empty,
        before=_before(project, snapshot, rows),
    )


def _before(project: Project, snapshot: Snapshot, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n, K) by the version in service; NaN where it does not count."""
    said = np.full((len(rows), snapshot.targets.shape[1]), np.nan, dtype=np.float32)
    version = serving_version(project=project)
    if version is None or not len(rows):
        return said
    fair = np.flatnonzero(fair_to(version, snapshot)[rows])
    try:
        old, seen = in_service(project, snapshot.images[rows[fair]], column="prior")
    except BadCheckpoint as error:  # what replaces it is not to fail by that
        logger.warning("%s is not asked about what was taught: %s", version, error)
        return said
    if old is not None:
        said[fair[seen]] = old
    return said
