"""One kind of answer as a random-effects logistic regression, moved step by step. Arrays only.

Offsets are shrunk by Student's t: a crowd of equals is fitted as equals, and a spammer among them
is not taken for one. Its scale is learned, with every turn of the search.
"""

from dataclasses import dataclass

import numpy as np

from labelhub.votes.arrays import Floats
from labelhub.votes.crowd import RATE_FLOOR, logit, sigmoid

LONGEST_STEP = 1.0  # on the logit scale
RATE_STRENGTH = 20.0  # pseudo-votes of an average crowd behind a pooled rate
PAIR_STRENGTH = 20.0  # pseudo-votes that hold a pair of classes to the pooled rate
SPREAD = 0.8  # of people's offsets, on the logit scale, before anything is measured
SPREAD_STRENGTH = 4.0  # people's worth of belief in it
FREEDOM = 4.0  # degrees, of Student's t


@dataclass
class Coins:
    """One kind of answer: a logit for each cell, their pooled value, and people's offsets.

    ``cells`` may have any shape; ``pooled`` is what a cell is held to, ``usual`` what the pooled
    rate itself is held to.
    """

    cells: Floats
    pooled: float
    usual: float
    offsets: Floats  # (m,)
    spread: float = SPREAD

    @property
    def hold(self) -> Floats:
        """(m,) the precision that pulls each offset to zero: of a t seen as scaled normals."""
        return np.asarray((FREEDOM + 1) / (FREEDOM * self.spread**2 + self.offsets**2))

    def move_offsets(self, gradient: Floats, information: Floats) -> None:
        """One step of Newton's; then the spread by its own turn of EM (Liu and Rubin 1995)."""
        hold = self.hold
        self.offsets = self.offsets + _step(gradient - hold * self.offsets, information + hold)
        variance = 1 / (information + self.hold)
        shift = float(np.average(self.offsets, weights=self.hold))  # the crowd's, nobody's own
        self.offsets, self.cells = self.offsets - shift, bounded(self.cells + shift)
        self.pooled = float(bounded(np.asarray(self.pooled + shift)))
        weight = (FREEDOM + 1) / (FREEDOM + self.offsets**2 / self.spread**2)
        total = np.sum(weight * (self.offsets**2 + variance)) + SPREAD_STRENGTH * SPREAD**2
        self.spread = float(np.sqrt(total / (len(self.offsets) + SPREAD_STRENGTH)))

    def move_pooled(self, gradient: float, information: float) -> None:
        rate = float(sigmoid(np.asarray(self.pooled)))
        gradient += RATE_STRENGTH * (self.usual - rate)
        information += RATE_STRENGTH * rate * (1 - rate)
        self.pooled = float(bounded(self.pooled + _step(gradient, information)))

    def move_cells(self, gradient: Floats, information: Floats) -> None:
        rates = sigmoid(self.cells)
        gradient = gradient + PAIR_STRENGTH * (sigmoid(np.asarray(self.pooled)) - rates)
        information = information + PAIR_STRENGTH * rates * (1 - rates)
        self.cells = bounded(self.cells + _step(gradient, information))


def _step(gradient: Floats | float, information: Floats | float) -> Floats:
    return np.clip(np.asarray(gradient) / information, -LONGEST_STEP, LONGEST_STEP)


def bounded(logits: Floats) -> Floats:
    most = float(logit(np.asarray(1 - RATE_FLOOR)))
    return np.clip(logits, -most, most)
