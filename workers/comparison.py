"""What a new version is measured on: the holdout, or while that is young, cross-validated Gold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelhub.projects.models import Project
from labelhub.projects.services import HOLDOUT_ENOUGH
from labelhub.rounds.models import Prediction
from labelhub.rounds.selectors import serving_version
from workers.snapshot import Snapshot

BATCH = 500

Predictor = Callable[[NDArray[np.int64]], NDArray[np.float32]]


@dataclass(frozen=True)
class Comparison:
    """The same m images seen by the new version and by the one in service."""

    new: NDArray[np.float32]  # (m, K)
    old: NDArray[np.float32] | None  # (m, K); None when no version serves
    labels: NDArray[np.int64]  # (m,)
    served: NDArray[np.float32]  # (m, K) of the network to serve, which may have trained on them
    measured_on: str
    provisional: bool


def compare(
    *, project: Project, snapshot: Snapshot, served: Predictor, by_fold: Sequence[Predictor]
) -> Comparison:
    """Predict the images whose truth counts.

    The served network is measured on the settled holdout, which nothing trained on. Gold was
    trained on, so there each image is seen by the fold network that did not: and the version in
    service by its own priors, for the same reason.
    """
    holdout = snapshot.holdout & snapshot.settled
    provisional = int(holdout.sum()) < HOLDOUT_ENOUGH
    chosen = (snapshot.gold >= 0) if provisional else holdout
    images = snapshot.images[chosen]
    new = np.zeros((len(images), snapshot.targets.shape[1]), dtype=np.float32)
    if not provisional:
        new = served(images)
    else:
        for fold, predict in enumerate(by_fold):
            in_fold = snapshot.folds[chosen] == fold
            if in_fold.any():
                new[in_fold] = predict(images[in_fold])
    old, seen = _in_service(project, images, column="prior" if provisional else "probabilities")
    kept = np.ones(len(images), dtype=bool) if old is None else seen
    return Comparison(
        new=new[kept],
        old=old,
        labels=snapshot.labels[chosen][kept],
        served=served(images[kept]) if kept.any() else new[kept],
        measured_on="Gold images, cross-validated" if provisional else "holdout images",
        provisional=provisional,
    )


def _in_service(
    project: Project, images: NDArray[np.int64], *, column: str
) -> tuple[NDArray[np.float32] | None, NDArray[np.bool_]]:
    """What the version in service said of the images, and which of them it has seen."""
    version = serving_version(project=project)
    if version is None:
        return None, np.ones(len(images), dtype=bool)
    said: dict[int, bytes] = {}
    for start in range(0, len(images), BATCH):
        part = images[start : start + BATCH].tolist()
        rows = Prediction.objects.filter(model_version=version, image_id__in=part)
        said.update(rows.values_list("image_id", column))
    seen = np.array([int(image) in said for image in images], dtype=bool)
    if not seen.any():
        return None, np.ones(len(images), dtype=bool)
    rows_said = [np.frombuffer(said[int(image)], dtype="<f4") for image in images[seen]]
    return np.stack(rows_said), seen
