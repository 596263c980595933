"""Which images are asked about first: one number each, larger is sooner. Arrays only.

Settles 2009, "Active Learning Literature Survey".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labelhub.projects.models import Project
from labelhub.votes.aggregation import entropy
from labelhub.votes.arrays import Floats

Acquisition = Project.Acquisition


@dataclass(frozen=True)
class Standing:
    """What is known of n images over K classes when they are put in order."""

    beliefs: Floats  # (n, K) votes and network together
    softmax: Floats  # (n, K) the network alone
    rate: Floats  # (n,) nats that the best question tells a second of a person's time
    chance: Floats  # (n,) a random number in [0, 1) for life


def priorities(acquisition: str, standing: Standing) -> Floats:
    """(n,) how much each image is wanted."""
    return np.asarray(_BY[Acquisition(acquisition)](standing))


def _margin(p: Floats) -> Floats:
    """1 - (largest - second largest) of (n, K)."""
    top = np.sort(p, axis=1)[:, -2:]
    return np.asarray(1 - (top[:, 1] - top[:, 0]))


_BY: dict[Acquisition, Callable[[Standing], Floats]] = {
    Acquisition.INFORMATION: lambda of: of.rate,
    Acquisition.ENTROPY: lambda of: entropy(of.beliefs),
    Acquisition.SOFTMAX: lambda of: entropy(of.softmax),
    Acquisition.MARGIN: lambda of: _margin(of.beliefs),
    Acquisition.CONFIDENCE: lambda of: 1 - of.beliefs.max(axis=1),
    Acquisition.RANDOM: lambda of: of.chance,
}
