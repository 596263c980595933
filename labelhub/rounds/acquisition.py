"""Which images are asked about first: one number each, larger is sooner. Arrays only.

Settles 2009, "Active Learning Literature Survey".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labelhub.projects import choices
from labelhub.votes.aggregation import entropy
from labelhub.votes.arrays import Floats

Acquisition = choices.Acquisition
BY_RANKING = (Acquisition.DISAGREEMENT, Acquisition.DIVERSE)  # one image's belief does not suffice
UNSCORED = 1e-4  # keeps an order among images to which a ranking gave nothing
LEAST_ENTROPY = 1e-6


@dataclass(frozen=True)
class Standing:
    """What is known of n images over K classes when they are put in order."""

    beliefs: Floats  # (n, K) votes and network together
    softmax: Floats  # (n, K) the network alone
    rate: Floats  # (n,) nats that the best question tells a second of a person's time
    chance: Floats  # (n,) a random number in [0, 1) for life
    scores: Floats  # (n,) what the last ranking found, for those in BY_RANKING


def priorities(acquisition: str, standing: Standing) -> Floats:
    """(n,) how much each image is wanted."""
    return np.asarray(_BY[Acquisition(acquisition)](standing))


def _margin(p: Floats) -> Floats:
    """1 - (largest - second largest) of (n, K)."""
    top = np.sort(p, axis=1)[:, -2:]
    return np.asarray(1 - (top[:, 1] - top[:, 0]))


def _by_score(of: Standing) -> Floats:
    """The ranking's score, as far as votes have left the network's question open."""
    left = entropy(of.beliefs) / np.maximum(entropy(of.softmax), LEAST_ENTROPY)
    return np.asarray((of.scores + UNSCORED) * np.minimum(left, 1.0))


_BY: dict[Acquisition, Callable[[Standing], Floats]] = {
    Acquisition.INFORMATION: lambda of: of.rate,
    Acquisition.ENTROPY: lambda of: entropy(of.beliefs),
    Acquisition.SOFTMAX: lambda of: entropy(of.softmax),
    Acquisition.MARGIN: lambda of: _margin(of.beliefs),
    Acquisition.CONFIDENCE: lambda of: 1 - of.beliefs.max(axis=1),
    Acquisition.DISAGREEMENT: _by_score,
    Acquisition.DIVERSE: _by_score,
    Acquisition.RANDOM: lambda of: of.chance,
}
