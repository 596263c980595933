"""Two networks on the same images: is one worse, or is it chance?"""

from math import comb

import numpy as np
from numpy.typing import NDArray

UNIFORM = 0.05  # mixed into every probability: no image counts for more than log(K / 0.05) nats
DRAWS = 4000  # of signs: a chance of 0.1 is then known to within 0.01
AT_ONCE = 500


def misfit(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """(n,) nats: minus the log of what (n, K) give to the label (n,), a little uniform mixed in."""
    classes = probabilities.shape[-1]
    given = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return np.asarray(-np.log((1 - UNIFORM) * given + UNIFORM / classes))


def chance_of_losing(lost: int, won: int) -> float:
    """How likely as good a network loses so many or more of the images that the two differ on.

    The exact sign test of McNemar 1947.
    """
    differing = lost + won
    ways = sum(comb(differing, count) for count in range(lost, differing + 1))
    return float(ways / 2**differing)


def chance_of_rise(rises: NDArray[np.floating]) -> float:
    """How likely the mean of paired differences (n,) is so high or higher where none is meant.

    Each difference keeps its size and gets its sign by the toss of a coin (Fisher 1935, "The Design
    of Experiments"): no shape is assumed, and misfits have none. 1 without any.
    """
    if not len(rises):
        return 1.0
    coins = np.random.default_rng(0)  # the same numbers always get the same verdict
    seen, as_high = float(rises.sum()) - 1e-9, 0
    for _ in range(DRAWS // AT_ONCE):
        signs = 2.0 * coins.integers(0, 2, (AT_ONCE, len(rises))) - 1.0
        as_high += int((signs @ rises >= seen).sum())
    return (as_high + 1) / (DRAWS + 1)
