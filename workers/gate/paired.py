"""Two networks on the same images: is one worse, or is it chance?"""

from math import comb, erfc, sqrt

import numpy as np
from numpy.typing import NDArray

UNIFORM = 0.05  # mixed into every probability: no image counts for more than log(K / 0.05) nats
DRAWS = 4000  # of signs: a chance of 0.1 is then known to within 0.01
SIGNS_AT_ONCE = 2_000_000
EXACT = 1000  # images that differ; beyond, the normal distribution is off by 0.001 at most


def misfit(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """(n,) nats: minus the log of what (n, K) give to the label (n,), a little uniform mixed in."""
    classes = probabilities.shape[-1]
    given = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return np.asarray(-np.log((1 - UNIFORM) * given + UNIFORM / classes))


def chance_of_losing(lost: int, won: int) -> float:
    """How likely as good a network loses so many or more of the images that the two differ on.

    The exact sign test of McNemar 1947; of more than EXACT images by the normal distribution.
    """
    differing = lost + won
    if differing > EXACT:
        return erfc((lost - 0.5 - differing / 2) / sqrt(differing / 2)) / 2
    ways = sum(comb(differing, count) for count in range(lost, differing + 1))
    return float(ways / 2**differing)


def chance_of_rise(rises: NDArray[np.floating]) -> float:
    """How likely the mean of paired differences (n,) is so high or higher where none is meant.

    Each difference keeps its size and gets its sign by the toss of a coin (Fisher 1935, "The Design
    of Experiments"): no shape is assumed, and misfits have none. 1 without any. The same numbers
    always get the same verdict, in whichever order they come.
    """
    if not len(rises):
        return 1.0
    rises, coins = np.sort(rises), np.random.default_rng(0)
    seen, as_high = float(rises.sum()) - 1e-9, 0
    at_once = max(1, min(DRAWS, SIGNS_AT_ONCE // len(rises)))
    for first in range(0, DRAWS, at_once):
        draws = min(at_once, DRAWS - first)
        heads = coins.integers(0, 2, (draws, len(rises)), dtype=np.int8).astype(bool)
        signed = 2 * np.where(heads, rises, 0.0).sum(axis=1) - rises.sum()
        as_high += int((signed >= seen).sum())
    return (as_high + 1) / (DRAWS + 1)
