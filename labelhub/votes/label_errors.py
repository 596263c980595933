"""Which labels are likely wrong, by what networks say that did not learn them. Arrays only.

Confident learning (Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in
Dataset Labels"). A network is surer of some classes than of others, so each class k has a threshold
of its own, the mean probability of k over the images that are labelled k:

    t_k = mean of p_i(k) over i with label k

An image is *confidently* of the class of most probability among those with p_i(k) ≥ t_k. Where
that is not its label, it lies off the diagonal of the confident joint: its label is suspected. That
says how many labels are likely wrong. Which ones is said best by the surprise at the label, weighed
by how unsure the network is of the image anyway (confidence-weighted entropy: Kuan and Mueller
2022, "Model-agnostic label quality scoring to detect real-world label errors"):

    d_i = -log p_i(label) / (H(p_i) + SOFTNESS)

Over planted and real wrong labels of Fashion-MNIST it finds more than the normalised margin where
labels are wrong at random, and than the plain probability of the label where pictures are taken for
what they look like (docs/benchmarks.md). A class nobody is labelled with has no threshold, and no
image is confidently of it.
"""

from dataclasses import dataclass

import numpy as np

from labelhub.votes.aggregation import entropy
from labelhub.votes.arrays import Bools, Floats, Ints

SOFTNESS = 0.2  # nats
LEAST = 1e-4  # of a probability: beyond it one is as surprising as another


@dataclass(frozen=True)
class Doubts:
    """Of n labels."""

    suspected: Bools  # (n,) off the diagonal of the confident joint
    likely: Ints  # (n,) the class of most probability besides the label
    doubt: Floats  # (n,) by the formula above, 0 or more

    @property
    def order(self) -> Ints:
        """(n,) places, the most doubtful label first."""
        return np.argsort(-self.doubt, kind="stable")

    @property
    def worst(self) -> Ints:
        """(suspected,) places of the most doubtful: as many as are suspected."""
        return self.order[: int(self.suspected.sum())]


def doubts(probabilities: Floats, labels: Ints) -> Doubts:
    """What networks make of labels (n,) 0..K-1 that they did not learn.

    ``probabilities`` (n, K), K at least 2, rows summing to one, are of networks for which each
    image was new; n may be 0. Raises ValueError for shapes or labels that do not fit, or NaN.
    """
    if probabilities.ndim != 2 or probabilities.shape[1] < 2:
        raise ValueError(f"probabilities must be (n, K), K at least 2, not {probabilities.shape}")
    n, classes = probabilities.shape
    if labels.shape != (n,) or (n and not 0 <= labels.min() <= labels.max() < classes):
        raise ValueError(f"labels must be {n} numbers of 0 to {classes - 1}")
    if not np.isfinite(probabilities).all():
        raise ValueError("probabilities hold NaN or infinity")
    rows = np.arange(n)
    own = probabilities[rows, labels]
    enough = probabilities >= thresholds(own, labels, classes)
    confident = np.where(enough, probabilities, -1.0).argmax(axis=1)
    suspected = enough.any(axis=1) & (confident != labels)
    others = probabilities.copy()
    others[rows, labels] = -1.0
    likely = others.argmax(axis=1)
    surprise = -np.log(np.maximum(own.astype(np.float64), LEAST))
    doubt = surprise / (entropy(probabilities.astype(np.float64)) + SOFTNESS)
    return Doubts(suspected, likely, doubt)


def thresholds(own: Floats, labels: Ints, classes: int) -> Floats:
    """(K,) the mean probability ``own`` (n,) of the label over the images of each label; infinite
    for a class without any."""
    count = np.bincount(labels, minlength=classes)
    total = np.bincount(labels, own, minlength=classes)
    return np.where(count > 0, total / np.maximum(count, 1), np.inf)


@dataclass(frozen=True)
class Found:
    """How well an order of n labels finds those that are wrong.

    ``precision`` is of the first so many labels as are wrong, where recall is the same; ``auroc``
    is the chance that a wrong label stands before a right one, ``average_precision`` the mean
    precision at each wrong one.
    """

    precision: float
    auroc: float
    average_precision: float

    @classmethod
    def of(cls, order: Ints, wrong: Bools) -> "Found":
        """``order`` (n,) are places, ``wrong`` (n,) says of each label whether it is. Raises
        ValueError where none is wrong, or none right."""
        count = int(wrong.sum())
        if not 0 < count < len(wrong):
            raise ValueError(f"{count} of {len(wrong)} labels are wrong: nothing to tell apart")
        hits = wrong[order]
        places = np.flatnonzero(hits)  # of the wrong ones in the order
        before = places - np.arange(count)  # right ones that stand before each
        return cls(
            precision=float(hits[:count].mean()),
            auroc=float(1 - before.mean() / (len(wrong) - count)),
            average_precision=float((np.arange(1, count + 1) / (places + 1)).mean()),
        )
