"""How right labels and network are at a moment of the play: the truth is read here and for seeds,
and for nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from labelhub.projects.models import Image, Project
from labelhub.rounds.models import Prediction
from labelhub.rounds.selectors import serving_version
from labelhub.votes.models import Consensus

LEVELS = (0.90, 0.95, 0.99)
CURVES = (0.95, 0.98, 0.995)  # confidences at which the error of what is settled is told


@dataclass(frozen=True)
class Spent:
    """What people have given so far, Gold, Checks and skipped pictures included."""

    judgements: int = 0
    clicks: int = 0
    human_seconds: float = 0.0


@dataclass(frozen=True)
class Point:
    """One point of the curve; ``label_accuracy`` is over all images that are no seeds.

    ``settled_error`` is the wrong share of the settled; ``error_above`` the same of all images with
    a vote whose confidence is at least so much. ``model_accuracy`` is of networks that did not
    train on the image.
    """

    judgements_per_image: float
    clicks_per_image: float
    human_seconds_per_image: float
    label_accuracy: float
    model_accuracy: float | None
    settled: float
    settled_error: float | None
    error_above: dict[str, float | None]
    choices: int
    seconds: float


class Scorer:
    """Compares the consensus of a project with the truth."""

    def __init__(
        self, project: Project, truth: Mapping[int, int], classes: Sequence[int], images: int
    ) -> None:
        """``truth`` maps Image ids that are no seeds to places in ``classes`` (LabelClass ids)."""
        self._project = project
        self._truth = {image: classes[label] for image, label in truth.items()}
        self._images = images

    def point(self, spent: Spent, *, choices: int, seconds: float) -> Point:
        """Read the rows and score them."""
        rows = Consensus.objects.filter(
            project=self._project, image__status=Image.Status.ACTIVE
        ).values_list("image_id", "label_class_id", "confidence", "humans", "settled")
        scored = [
            (self._truth[image] == label, confidence, humans, settled)
            for image, label, confidence, humans, settled in rows
            if image in self._truth
        ]
        right, confidence, humans, settled = (np.array(c) for c in zip(*scored, strict=True))
        return Point(
            judgements_per_image=round(spent.judgements / self._images, 4),
            clicks_per_image=round(spent.clicks / self._images, 4),
            human_seconds_per_image=round(spent.human_seconds / self._images, 4),
            label_accuracy=round(float(right.mean()), 5),
            model_accuracy=self._model_accuracy(),
            settled=round(float(settled.mean()), 4),
            settled_error=_error(right[settled]),
            error_above={
                str(level): _error(right[(confidence >= level) & (humans > 0)]) for level in CURVES
            },
            choices=choices,
            seconds=round(seconds, 1),
        )

    def _model_accuracy(self) -> float | None:
        version = serving_version(project=self._project)
        if version is None:
            return None
        rows = Prediction.objects.filter(model_version=version).values_list("image_id", "prior")
        right = [
            version.label_classes[int(np.frombuffer(prior, dtype="<f4").argmax())]
            == self._truth[image]
            for image, prior in rows
            if image in self._truth
        ]
        return round(float(np.mean(right)), 5) if right else None


def _error(right: NDArray[np.bool_]) -> float | None:
    return round(1 - float(right.mean()), 5) if len(right) else None


def reached(points: Sequence[Point], field: str) -> dict[str, float | None]:
    """Where the curve first comes to each level of label accuracy, between points by a line."""
    found: dict[str, float | None] = {}
    for level in LEVELS:
        found[f"{level:.2f}"] = None
        for before, after in zip([None, *points], points, strict=False):
            if after.label_accuracy < level:
                continue
            high = float(getattr(after, field))
            if before is not None:
                low = float(getattr(before, field))
                rise = after.label_accuracy - before.label_accuracy
                high = low + (high - low) * (level - before.label_accuracy) / rise
            found[f"{level:.2f}"] = round(high, 3)
            break
    return found


def as_rows(points: Sequence[Point]) -> list[dict[str, object]]:
    """The curve as JSON has it."""
    return [asdict(point) for point in points]
