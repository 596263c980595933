"""How good a network is on held-out images: one plain record."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.calibration import expected_calibration_error, negative_log_likelihood


@dataclass(frozen=True)
class ClassScore:
    """One class: of what was called so, how much is (precision); of what is, how much was found.

    None where there is nothing to divide by. ``support`` is the number of images of the class.
    """

    precision: float | None
    recall: float | None
    support: int


@dataclass(frozen=True)
class Evaluation:
    """Scores over ``images`` rows; accuracy, nll (nats) and ece are None without rows.

    ``confusion[k][j]``: images of class k that the network called j.
    """

    images: int
    accuracy: float | None
    nll: float | None
    ece: float | None
    per_class: dict[int, ClassScore]
    confusion: list[list[int]]

    def to_dict(self) -> dict[str, Any]:
        """JSON types only; the keys of ``per_class`` become strings, as JSON would make them."""
        plain = asdict(self)
        plain["per_class"] = {str(index): score for index, score in plain["per_class"].items()}
        return plain


def evaluate(probabilities: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Evaluation:
    """Compare probabilities (n, K) with the true class indices (n,); n may be 0.

    Raises ValueError for shapes that do not agree, labels outside 0..K-1 or NaN.
    """
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise ValueError(f"shapes do not agree: {probabilities.shape}, {labels.shape}")
    if not np.isfinite(probabilities).all():
        raise ValueError("probabilities hold NaN or infinity")
    count, classes = probabilities.shape
    labels = labels.astype(np.int64)
    if count and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"labels must lie in 0..{classes - 1}")
    called = probabilities.argmax(axis=1)  # (images,)
    confusion = np.bincount(labels * classes + called, minlength=classes**2)
    confusion = confusion.reshape(classes, classes)  # (true, called)
    return Evaluation(
        images=count,
        accuracy=_ratio(int(confusion.trace()), count),
        nll=negative_log_likelihood(probabilities, labels) if count else None,
        ece=expected_calibration_error(probabilities, labels) if count else None,
        per_class={k: _score(confusion, k) for k in range(classes)},
        confusion=confusion.tolist(),
    )


def _score(confusion: npt.NDArray[np.int64], k: int) -> ClassScore:
    hits, support = int(confusion[k, k]), int(confusion[k].sum())
    return ClassScore(_ratio(hits, int(confusion[:, k].sum())), _ratio(hits, support), support)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
