"""Do the probabilities mean what they say? Temperature scaling, and two ways to measure it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

COLDEST, HOTTEST = 0.05, 20.0
GRID_POINTS = 25
PRIOR_STRENGTH = 4.0
SMALLEST = 1e-12
BINS = 15


def fit_temperature(
    logits: npt.NDArray[Any], targets: npt.NDArray[Any], weights: npt.NDArray[Any]
) -> float:
    """The T in [0.05, 20] for which softmax(logits / T) fits held-out targets best.

    logits and targets (n, K), weights (n,). Minimises the weighted misfit (Guo et al. 2017, "On
    Calibration of Modern Neural Networks"): minus the log of sum_k p(k) targets(k), the likelihood
    of what was said, which is the cross-entropy where a target is certain and does not take the
    crowd's doubt for the network's where it is not; plus a penalty that pulls log T to 0 with
    the strength of four images, so that a handful of rows cannot claim certainty. Without
    rows, or with all weights zero, T is 1. Only the ratios of the weights matter. Raises
    ValueError for shapes that do not agree, negative weights, or numbers that are not finite.
    """
    _require_fit_for_fitting(logits, targets, weights)
    used = weights > 0
    if not used.any():
        return 1.0
    share = weights[used].astype(np.float64) / weights[used].sum(dtype=np.float64)
    rows = 1.0 / np.square(share).sum()  # Kish's effective number of rows
    z, t = logits[used].astype(np.float64), targets[used].astype(np.float64)
    z = z - z.max(axis=1, keepdims=True)

    def cost(log_temperature: float) -> float:
        misfit = _misfit(z / np.exp(log_temperature), t)
        return float(rows * (share @ misfit) + PRIOR_STRENGTH / 2 * log_temperature**2)

    best = _lowest(cost, np.log(COLDEST), np.log(HOTTEST))
    return float(np.clip(np.exp(best), COLDEST, HOTTEST))


def _require_fit_for_fitting(
    logits: npt.NDArray[Any], targets: npt.NDArray[Any], weights: npt.NDArray[Any]
) -> None:
    if logits.shape != targets.shape or weights.shape != logits.shape[:1]:
        raise ValueError(f"shapes differ: {logits.shape}, {targets.shape}, {weights.shape}")
    if not all(np.isfinite(array).all() for array in (logits, targets, weights)):
        raise ValueError("logits, targets or weights hold NaN or infinity")
    if (weights < 0).any():
        raise ValueError("weights hold negative numbers")


def _misfit(
    logits: npt.NDArray[np.float64], targets: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(n,) minus the log of sum_k softmax(k) targets(k). The largest logit of each row is 0."""
    raised = np.exp(logits)
    likelihood = (raised * targets).sum(axis=1) / raised.sum(axis=1)
    return np.asarray(-np.log(np.maximum(likelihood, SMALLEST)))


def _lowest(cost: Callable[[float], float], low: float, high: float) -> float:
    """Where the cost is lowest: in the best stretch of a grid, in which it has one valley."""
    grid = np.linspace(low, high, GRID_POINTS)
    best = int(np.argmin([cost(point) for point in grid]))
    low, high = grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)]
    while high - low > 1e-4:  # ternary search
        first, second = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, second) if cost(first) <= cost(second) else (first, high)
    return (low + high) / 2


def uncalibrated(probabilities: npt.NDArray[Any], temperature: float) -> npt.NDArray[np.float64]:
    """What softmax(logits / temperature) was before the division: (n, K), rows summing to one.

    Raises ValueError for a temperature that is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, not {temperature}")
    least = np.finfo(np.float32).tiny  # what single precision still says of a probability
    raised = np.maximum(probabilities.astype(np.float64), least) ** temperature
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows whose largest probability lies in one stretch: its mean, how many are right, how many
    there are. Of one that can be trusted the first two agree."""

    confidence: float
    accuracy: float
    count: int


def reliability(
    probabilities: npt.NDArray[Any], labels: npt.NDArray[Any], bins: int = BINS
) -> list[ReliabilityBin]:
    """What a reliability diagram draws (DeGroot and Fienberg 1983), over equal stretches of 0..1.

    probabilities (n, K), labels (n,) class indices. Stretches without a row are left out. Raises
    ValueError without rows.
    """
    _require_rows(probabilities, labels)
    confidence = probabilities.max(axis=1).astype(np.float64)  # (images,)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    count, sure, found = (
        np.bincount(place, weights=weights, minlength=bins) for weights in (None, confidence, right)
    )
    return [
        ReliabilityBin(float(sure[k] / count[k]), float(found[k] / count[k]), int(count[k]))
        for k in np.flatnonzero(count)
    ]


def expected_calibration_error(
    probabilities: npt.NDArray[Any], labels: npt.NDArray[Any], bins: int = BINS
) -> float:
    """Mean distance between confidence and accuracy over equal bins, weighted by their rows.

    probabilities (n, K), labels (n,) class indices; 0 is perfect (Naeini, Cooper, Hauskrecht
    2015). Of few rows it comes out above what it is of many. Raises ValueError without rows.
    """
    found = reliability(probabilities, labels, bins)
    return sum(abs(one.confidence - one.accuracy) * one.count for one in found) / len(labels)


def negative_log_likelihood(probabilities: npt.NDArray[Any], labels: npt.NDArray[Any]) -> float:
    """Mean of -log p(label) in nats, p at least 1e-12. Raises ValueError without rows."""
    _require_rows(probabilities, labels)
    given = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(given, SMALLEST)).mean())


def _require_rows(probabilities: npt.NDArray[Any], labels: npt.NDArray[Any]) -> None:
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise ValueError(f"shapes do not agree: {probabilities.shape}, {labels.shape}")
    if not len(labels):
        raise ValueError("there are no rows to measure")
