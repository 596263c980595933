"""What the promotion gate decides on, and what its tests find."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MARGIN = 0.02  # of accuracy
MISFIT_MARGIN = 0.1  # nats an image
CONFIDENCE = 0.9  # that it is worse at all

Floats = NDArray[np.floating]
Labels = NDArray[np.integer]


@dataclass(frozen=True)
class Opinions:
    """What every network says, calibrated, of n images over K classes that were taught and whose
    label is Gold or likely by votes alone.

    ``folds`` is the fold network that was not taught the image. ``before`` is what networks of the
    version in service say that were not taught it: NaN where that is unknown, or where the label is
    known because of what they said.
    """

    labels: Labels  # (n,)
    folds: NDArray[np.int64]  # (n,) 0..f-1
    by_fold: Floats  # (f, n, K)
    served: Floats  # (n, K)
    before: Floats  # (n, K)

    @property
    def untaught(self) -> Floats:
        """(n, K) by the network that was not taught the image."""
        return np.asarray(self.by_fold[self.folds, np.arange(len(self.labels))])


@dataclass(frozen=True)
class Recount:
    """So many labels were made again from Gold and votes, and so many came out otherwise."""

    images: int
    differing: int


@dataclass(frozen=True)
class Case:
    """A new version, and what it is compared with; ``promotion.decide`` says what is what."""

    new: Floats  # (m, K)
    old: Floats | None  # (m, K)
    labels: Labels  # (m,)
    measured_on: str
    served: Floats  # (m, K)
    fewest: int
    opinions: Opinions | None
    recount: Recount | None
    mistaught: Sequence[str]
    classes: Sequence[str]

    @property
    def accuracy(self) -> float:
        """Of the new version; 0 without images."""
        return float(right(self.new, self.labels).mean()) if len(self.labels) else 0.0

    @property
    def shown(self) -> str:
        """The accuracy in words."""
        return f"right on {self.accuracy:.1%} of {len(self.labels)} {self.measured_on}"

    def name(self, index: int) -> str:
        """Of a class."""
        return self.classes[index] if index < len(self.classes) else f"class {index}"


@dataclass(frozen=True)
class Finding:
    """What one test came to; a ``refusal`` is the reason why the version may not serve."""

    refusal: str = ""
    figures: dict[str, float] = field(default_factory=dict)


def right(said: Floats, labels: Labels) -> NDArray[np.bool_]:
    """(n,) where the likeliest of the classes (n, K) is the label (n,)."""
    return np.asarray(said.argmax(axis=1) == labels)


def beside(drop: float) -> str:
    """How far one accuracy lies from another. Between shares lie points: 2 % above 80 % is 81.6 %.

    ``drop`` is how much less it is.
    """
    points = f"{100 * abs(drop):.1f}"
    if points == "0.0":
        return "as good as"
    return f"{points} points {'below' if drop > 0 else 'above'}"
