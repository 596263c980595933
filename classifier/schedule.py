"""How far a training has come, and the learning rate there: by steps, by time, or because there is
nothing left to learn."""

import math
from dataclasses import dataclass

from classifier.config import TrainConfig

WARM_UP = 0.15  # share of the training in which the learning rate climbs
LAST_LEG = 0.1  # share of the steps that an early end takes: the rate falls as it would have
PATIENCE = 3  # reports in a row that must say so before there is nothing left to learn


@dataclass
class Schedule:
    """``done`` is the share of the training that lies behind, 0 to 1; the rest is why.

    ``seconds`` were spent, ``leap`` is what a step advances at least, ``satisfied`` counts the
    reports in a row with little left to learn.
    """

    done: float = 0.0
    seconds: float = 0.0
    leap: float = 0.0
    satisfied: int = 0

    def advance(self, config: TrainConfig, seconds: float) -> None:
        """One more step, which took so long: with a time budget, whichever is nearer its end."""
        self.seconds += seconds
        self.done += max(self.leap, 1 / config.steps)
        if config.seconds is not None:
            self.done = max(self.done, self.seconds / config.seconds)
        if self.done > 1 - 0.5 / config.steps:  # sums of shares miss the whole by a rounding
            self.done = 1.0

    def hear(self, config: TrainConfig, excess: float) -> None:
        """What images cost above their targets' own doubt, on average, since the last report.

        After PATIENCE reports with less than ``config.enough`` the rest is gone through in
        LAST_LEG of the steps: the rate still comes down to nothing, which is worth a point or two.
        """
        self.satisfied = self.satisfied + 1 if excess < config.enough else 0
        if self.satisfied >= PATIENCE and not self.leap:
            self.leap = (1 - self.done) / max(1.0, LAST_LEG * config.steps)

    @property
    def seconds_left(self) -> float:
        """At the pace so far, or while the rest is gone through faster, less."""
        return self.seconds / self.done * (1 - self.done) if self.done else 0.0

    def learning_rate(self, config: TrainConfig) -> float:
        """One cycle: a straight climb to the peak, then half a cosine down to nearly zero.

        Smith and Topin 2018, "Super-Convergence", with the cosine of Loshchilov and Hutter 2017.
        """
        step = self.done * config.steps
        climb = max(1, round(config.steps * WARM_UP))
        if step < climb:
            return config.learning_rate * (step + 1) / climb
        fallen = (step - climb + 1) / (config.steps - climb + 1)
        return config.learning_rate * (0.5 + 0.5 * math.cos(math.pi * min(1.0, fallen)))
