"""How good a network is on held-out images: one plain record, which pages only draw."""

from dataclasses import asdict, dataclass, field
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.calibration import (
    ReliabilityBin,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
)

Z95 = 1.96  # normal deviate of a two-sided 95 % interval
CONFUSIONS, EXAMPLES = 5, 3  # told of: the most frequent ones, the most confident of each


@dataclass(frozen=True)
class ClassScore:
    """One class: of what was called so, how much is (precision); of what is, how much was found.

    None where there is nothing to divide by. ``support`` is the number of images of the class.
    """

    precision: float | None
    recall: float | None
    support: int


@dataclass(frozen=True)
class Confusion:
    """``count`` images of class ``true`` that were taken for ``called``; ``examples`` are ids of
    those it was surest of, the surest first."""

    true: int
    called: int
    count: int
    examples: list[int]


@dataclass(frozen=True)
class Evaluation:
    """Scores over ``images`` rows; accuracy, nll (nats) and ece are None without rows.

    ``ece_before`` and ``nll_before`` are at temperature one, None where that was not given. Where
    the temperature was fitted on these very images, as while a version is provisional, what comes
    after it is a little better than it will be on others.
    ``interval`` is Wilson's of 95 % around the accuracy. ``confusion[k][j]``: images of class k
    that the network called j.
    """

    images: int
    accuracy: float | None
    nll: float | None
    ece: float | None
    per_class: dict[int, ClassScore]
    confusion: list[list[int]]
    ece_before: float | None = None
    nll_before: float | None = None
    interval: list[float] | None = None
    reliability: list[ReliabilityBin] = field(default_factory=list)
    confusions: list[Confusion] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """JSON types only; the keys of ``per_class`` become strings, as JSON would make them."""
        plain = asdict(self)
        plain["per_class"] = {str(index): score for index, score in plain["per_class"].items()}
        return plain


def evaluate(
    probabilities: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    *,
    uncalibrated: npt.NDArray[Any] | None = None,
    ids: npt.NDArray[Any] | None = None,
) -> Evaluation:
    """Compare probabilities (n, K) with the true class indices (n,); n may be 0.

    ``uncalibrated`` (n, K) are the same network's at temperature one; ``ids`` (n,) name the images
    in the examples, else their rows do. Raises ValueError for shapes that do not agree, labels
    outside 0..K-1 or NaN.
    """
    labels = _checked(probabilities, labels, uncalibrated, ids)
    count, classes = probabilities.shape
    called = probabilities.argmax(axis=1)  # (images,)
    confusion = np.bincount(labels * classes + called, minlength=classes**2)
    confusion = confusion.reshape(classes, classes)  # (true, called)
    per_class = {k: _score(confusion, k) for k in range(classes)}
    if not count:
        return Evaluation(0, None, None, None, per_class, confusion.tolist())
    accuracy = int(confusion.trace()) / count
    return Evaluation(
        images=count,
        accuracy=accuracy,
        nll=negative_log_likelihood(probabilities, labels),
        ece=expected_calibration_error(probabilities, labels),
        per_class=per_class,
        confusion=confusion.tolist(),
        ece_before=None
        if uncalibrated is None
        else expected_calibration_error(uncalibrated, labels),
        nll_before=None if uncalibrated is None else negative_log_likelihood(uncalibrated, labels),
        interval=list(wilson_interval(accuracy, count)),
        reliability=reliability(probabilities, labels),
        confusions=_confusions(
            probabilities, labels, confusion, np.arange(count) if ids is None else ids
        ),
    )


def _checked(
    probabilities: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    uncalibrated: npt.NDArray[Any] | None,
    ids: npt.NDArray[Any] | None,
) -> npt.NDArray[np.int64]:
    """The labels as integers, once everything fits. Raises ValueError."""
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise ValueError(f"shapes do not agree: {probabilities.shape}, {labels.shape}")
    if uncalibrated is not None and uncalibrated.shape != probabilities.shape:
        raise ValueError(f"shapes do not agree: {probabilities.shape}, {uncalibrated.shape}")
    if ids is not None and ids.shape != labels.shape:
        raise ValueError(f"shapes do not agree: {labels.shape} labels, {ids.shape} ids")
    if not all(np.isfinite(p).all() for p in (probabilities, uncalibrated) if p is not None):
        raise ValueError("probabilities hold NaN or infinity")
    classes, labels = probabilities.shape[1], labels.astype(np.int64)
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"labels must lie in 0..{classes - 1}")
    return labels


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """Where a share seen ``count`` times lies with 95 % certainty (Wilson 1927).

    Raises ValueError unless ``count`` is positive and ``share`` within 0 to 1.
    """
    if count < 1 or not 0 <= share <= 1:
        raise ValueError(f"no share of anything: {share} of {count}")
    middle = share + Z95**2 / (2 * count)
    spread = Z95 * sqrt(share * (1 - share) / count + Z95**2 / (4 * count**2))
    scale = 1 + Z95**2 / count
    low, high = (middle - spread) / scale, (middle + spread) / scale
    return max(min(low, share), 0.0), min(max(high, share), 1.0)  # the share, however it is rounded


def _score(confusion: npt.NDArray[np.int64], k: int) -> ClassScore:
    hits, support = int(confusion[k, k]), int(confusion[k].sum())
    return ClassScore(_ratio(hits, int(confusion[:, k].sum())), _ratio(hits, support), support)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _confusions(
    probabilities: npt.NDArray[Any],
    labels: npt.NDArray[np.int64],
    confusion: npt.NDArray[np.int64],
    ids: npt.NDArray[Any],
) -> list[Confusion]:
    """The most frequent confusions, each with the images that the network was surest of."""
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    called = probabilities.argmax(axis=1)
    found = []
    for place in np.argsort(-wrong, axis=None, kind="stable")[:CONFUSIONS]:
        true, taken = (int(one) for one in np.unravel_index(place, wrong.shape))
        if not wrong[true, taken]:
            break
        rows = np.flatnonzero((labels == true) & (called == taken))
        surest = rows[np.argsort(-probabilities[rows, taken], kind="stable")[:EXAMPLES]]
        found.append(Confusion(true, taken, int(wrong[true, taken]), ids[surest].tolist()))
    return found
