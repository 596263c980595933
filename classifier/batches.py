"""What a whole ensemble, or a whole batch, says of which images to ask about. Arrays only."""

from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.uncertainty import entropy

SKETCH = 64  # random directions that stand for a description's many columns


def disagreement(members: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """(n,) nats that the members' names tell of the class: members is (m, n, K) probabilities.

    H(mean of the members) minus the mean of their H, the BALD score of Houlsby et al. 2011
    ("Bayesian Active Learning for Classification and Preference Learning"): nothing where all are
    equally unsure, much where each is sure of something else.
    """
    each = np.mean([entropy(member) for member in members], axis=0)
    return np.asarray(np.maximum(0.0, entropy(members.mean(axis=0)) - each))


def diverse_batch(
    described: npt.NDArray[Any], worth: npt.NDArray[np.float64], count: int, *, seed: int
) -> npt.NDArray[np.int64]:
    """(count,) rows in the order they are picked: far from those before, and worth much.

    ``described`` is (n, d), ``worth`` (n,) not negative. The first is worth most; each next one has
    the most worth times squared distance to the nearest before it: k-center (Sener and Savarese
    2018, "Active Learning for Convolutional Neural Networks"), weighed as in BADGE (Ash et al.
    2020). Distances are taken in SKETCH random directions. Fewer come where there are fewer.
    """
    sketched = _sketch(described, seed)
    picked: list[int] = []
    nearest = np.full(len(worth), np.inf)
    wanted = worth.astype(np.float64)
    for _ in range(min(count, len(worth))):
        best = int(wanted.argmax())
        picked.append(best)
        nearest = np.minimum(nearest, np.square(sketched - sketched[best]).sum(axis=1))
        wanted = worth * nearest
        wanted[picked] = -1.0  # also where everything left is a copy of one before
    return np.array(picked, dtype=np.int64)


def _sketch(described: npt.NDArray[Any], seed: int) -> npt.NDArray[np.float64]:
    """(n, SKETCH) of the standardised columns; distances stay, but for chance (Johnson and
    Lindenstrauss 1984)."""
    wide: npt.NDArray[np.float64] = described.astype(np.float64)
    wide = (wide - wide.mean(axis=0)) / (wide.std(axis=0) + 1e-9)
    if wide.shape[1] <= SKETCH:
        return np.asarray(wide)
    directions = np.random.default_rng(seed).normal(size=(wide.shape[1], SKETCH))
    return np.asarray(wide @ directions / np.sqrt(SKETCH))
