"""What graded answers say of a person: two rates with their uncertainty. No Django."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

HIT_PRIOR = (4.5, 0.5)  # Beta: a newcomer counts like the crowd, five graded tiles' worth
FALSE_ALARM_PRIOR = (0.25, 4.75)
KNOWN_AFTER = 20  # graded tiles
PROMISING_AFTER = 4
HOPELESS_AFTER, HOPELESS_SHARPNESS = 16, 0.3
DOUBTED = (1.0, 4.0)  # Beta: of a crowd that nobody has measured one in five answers badly
LEAST_DOUBT = 0.4


@dataclass(frozen=True)
class Skill:
    """Graded tiles of one Annotator: of those that were the class asked for, how many hit; of the
    others, how many were selected all the same."""

    yes: int
    hits: int
    no: int
    false_alarms: int

    @property
    def graded(self) -> int:
        return self.yes + self.no

    @property
    def right(self) -> int:
        return self.hits + self.no - self.false_alarms

    @property
    def hit_rate(self) -> float:
        """Mean of the Beta posterior."""
        a, b = HIT_PRIOR
        return (self.hits + a) / (self.yes + a + b)

    @property
    def false_alarm_rate(self) -> float:
        """Mean of the Beta posterior."""
        a, b = FALSE_ALARM_PRIOR
        return (self.false_alarms + a) / (self.no + a + b)

    @property
    def sharpness(self) -> float:
        """Youden's J: 1 for someone who always tells apart, 0 for someone who guesses."""
        return self.hit_rate - self.false_alarm_rate

    @property
    def is_promising(self) -> bool:
        """Graded a little, and nothing that speaks against: enough for somebody with an account."""
        return self.graded >= PROMISING_AFTER and self.sharpness > 0.6

    @property
    def is_hopeless(self) -> bool:
        """Graded a good deal, and hardly better than somebody who does not look."""
        return self.graded >= HOPELESS_AFTER and self.sharpness < HOPELESS_SHARPNESS

    @property
    def novelty(self) -> float:
        """How much another graded tile would tell, from 1 down: by the square root law the
        uncertainty of a rate halves with four times the tiles."""
        return sqrt(KNOWN_AFTER / max(self.graded, KNOWN_AFTER))

    @property
    def is_known_good(self) -> bool:
        """Enough graded tiles, and a sharpness that is good even at its lower end."""
        if self.graded < KNOWN_AFTER:
            return False
        spread = sqrt(
            self.hit_rate * (1 - self.hit_rate) / (self.yes + 5)
            + self.false_alarm_rate * (1 - self.false_alarm_rate) / (self.no + 5)
        )
        return self.sharpness - spread > 0.6


def doubt(skills: Iterable[Skill]) -> float:
    """How much those of a crowd are to be graded who answer well, from LEAST_DOUBT to 1.

    The share of people who did badly in their first graded tiles, in parts of what is expected of
    an unmeasured crowd: where all do well, grading one of them once more tells little.
    """
    judged = [skill for skill in skills if skill.graded >= PROMISING_AFTER]
    failed = sum(not skill.is_promising for skill in judged)
    bad, good = DOUBTED
    share = (failed + bad) / (len(judged) + bad + good)
    return min(max(share * (bad + good) / bad, LEAST_DOUBT), 1.0)
