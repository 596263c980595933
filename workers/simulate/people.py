"""Who answers: recorded human labels, or annotators made up of accuracy, confusion and malice.

A person sees a picture as one class, and answers every question about it by that. Nobody here knows
more of the product than what a person is shown.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from workers.simulate.data import Corpus

KINDS = ("honest", "random", "all-yes", "all-no", "colluder")
NONE = -1  # "none of these", as a choice


class People(Protocol):
    """Everybody who may be asked. ``None`` is a picture that the person leaves out."""

    count: int

    def says_yes(self, person: int, image: int, asked: int) -> bool | None:
        """Whether the picture is of class ``asked``."""

    def chooses(self, person: int, image: int) -> int | None:
        """The class of the picture among all, or NONE."""

    def pace(self, person: int) -> float:
        """How long this person takes, as a multiple of the usual time."""

    def is_used_up(self, image: int) -> bool:
        """Nobody can say any more about this picture."""


class Recorded:
    """Draws a recorded label of the picture, each once. Whose it was is not asked."""

    def __init__(self, labels: list[list[int]], count: int, generator: np.random.Generator) -> None:
        self.count = count
        self._left = [
            [own[place] for place in generator.permutation(len(own))] if own else []
            for own in labels
        ]

    def says_yes(self, person: int, image: int, asked: int) -> bool | None:
        label = self.chooses(person, image)
        return None if label is None else label == asked

    def chooses(self, person: int, image: int) -> int | None:
        del person
        return self._left[image].pop() if self._left[image] else None

    def pace(self, person: int) -> float:
        del person
        return 1.0

    def is_used_up(self, image: int) -> bool:
        return not self._left[image]


@dataclass(frozen=True)
class Habits:
    """One kind of made-up annotator.

    ``count`` of them. An honest one is right with ``accuracy``, varied by ``spread`` (one standard
    deviation) from person to person; where wrong, ``confusion`` (K, K) says as what a class is
    taken, by any weights, and evenly without. ``pace`` multiplies the usual time. ``random`` says
    yes every second time, ``all-yes`` and ``all-no`` what their names say; colluders all take a
    class for the one ``shift`` places on, with ``accuracy``.
    """

    count: int = 1
    kind: str = "honest"
    accuracy: float = 0.9
    spread: float = 0.0
    confusion: tuple[tuple[float, ...], ...] | None = None
    pace: float = 1.0
    shift: int = 1


class MadeUp:
    """Annotators who err by their habits; each sees the same picture the same way every time."""

    def __init__(self, habits: list[Habits], corpus: Corpus, seed: int) -> None:
        self._labels = corpus.labels
        self._classes = len(corpus.classes)
        self._seed = seed
        self._people = [one for one in habits for _ in range(one.count)]
        self.count = len(self._people)
        draws = np.random.default_rng([seed, 1]).normal(size=self.count)
        self._accuracy = [
            float(np.clip(one.accuracy + one.spread * draw, 0.0, 1.0))
            for one, draw in zip(self._people, draws, strict=True)
        ]

    def says_yes(self, person: int, image: int, asked: int) -> bool | None:
        kind = self._people[person].kind
        if kind == "random":
            return bool(self._dice(person, image).random() < 0.5)
        if kind in {"all-yes", "all-no"}:
            return kind == "all-yes"
        return self.chooses(person, image) == asked

    def chooses(self, person: int, image: int) -> int | None:
        habits, dice = self._people[person], self._dice(person, image)
        if habits.kind in {"random", "all-yes"}:
            return int(dice.integers(self._classes))
        if habits.kind == "all-no":
            return NONE
        true = int(self._labels[image])
        if habits.kind == "colluder":
            true = (true + habits.shift) % self._classes
        if dice.random() < self._accuracy[person]:
            return true
        return int(dice.choice(self._classes, p=self._mistaken(habits, true)))

    def pace(self, person: int) -> float:
        return self._people[person].pace

    def is_used_up(self, image: int) -> bool:
        del image
        return False

    def _mistaken(self, habits: Habits, true: int) -> NDArray[np.float64]:
        """(K,) as what a class is taken by somebody who is wrong about it."""
        weights = (
            np.ones(self._classes)
            if habits.confusion is None
            else np.array(habits.confusion[true], dtype=np.float64)
        )
        weights[true] = 0.0
        if not weights.sum():
            weights = np.ones(self._classes)
            weights[true] = 0.0
        return np.asarray(weights / weights.sum())

    def _dice(self, person: int, image: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, 2, person, image])
