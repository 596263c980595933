"""How unsure a row of probabilities is: three measures, larger is more unsure.

Each takes (n, K) probabilities and returns (n,) float64 (Settles 2009, "Active Learning
Literature Survey", section 3.1).
"""

from typing import Any

import numpy as np
import numpy.typing as npt


def entropy(probabilities: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """-sum p log p in nats: 0 when one class has it all, log K when all are equal."""
    p = probabilities.astype(np.float64)  # (images, classes)
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    return np.asarray(np.maximum(0.0, 0.0 - (p * logs).sum(axis=1)))  # 0, not -0


def margin(probabilities: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """1 - (largest - second largest): 0 when sure, 1 when two classes are level.

    Turned round from the literature's margin, so that the larger is the less sure everywhere.
    """
    top = np.sort(probabilities.astype(np.float64), axis=1)[:, -2:]  # (images, 2)
    return np.asarray(1.0 - (top[:, 1] - top[:, 0]))


def least_confidence(probabilities: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """1 - largest: 0 when sure, 1 - 1/K when all classes are level."""
    return np.asarray(1.0 - probabilities.astype(np.float64).max(axis=1))
