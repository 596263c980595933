"""Networks as the gate sees them: what they say of images whose label is known."""

from collections.abc import Sequence

import numpy as np

from workers.promotion import Opinions, Recount, Verdict, decide

K = 4
LABELS = np.arange(100) % K
TAUGHT = np.arange(60) % K
FOLDS = np.arange(60) % 3


def sure(share: float, labels: np.ndarray = LABELS) -> np.ndarray:
    """(n, K) that give so much to the label, and the rest evenly to the other classes."""
    said = np.full((len(labels), K), (1 - share) / (K - 1))
    said[np.arange(len(labels)), labels] = share
    return said


def swapped(said: np.ndarray, first: int = 0, second: int = 1) -> np.ndarray:
    """The same with two classes standing for each other."""
    order = np.arange(said.shape[1])
    order[[first, second]] = second, first
    return said[:, order]


def sound(**instead: np.ndarray) -> Opinions:
    """Three fold networks and the served one that know what they were taught a bit better."""
    by_fold = np.stack([sure(0.9, TAUGHT)] * 3)
    for fold in range(3):
        by_fold[fold, fold == FOLDS] = sure(0.8, TAUGHT)[fold == FOLDS]
    told = {"by_fold": by_fold, "served": sure(0.9, TAUGHT), "before": sure(0.8, TAUGHT)}
    return Opinions(labels=TAUGHT, folds=FOLDS, **(told | instead))


def judged(
    new: np.ndarray | None = None,
    old: np.ndarray | None = None,
    *,
    labels: np.ndarray = LABELS,
    served: np.ndarray | None = None,
    opinions: Opinions | None = None,
    recount: Recount | None = None,
    mistaught: Sequence[str] = (),
    classes: Sequence[str] = ("cat", "dog", "cow", "hen"),
) -> Verdict:
    """The verdict over 100 Gold images, of a network that is right on all unless told otherwise."""
    new = sure(0.9, labels) if new is None else new
    return decide(
        new=new,
        old=old,
        labels=labels,
        measured_on="Gold images",
        served=new if served is None else served,
        opinions=opinions,
        recount=recount,
        mistaught=mistaught,
        classes=classes,
    )
