"""How many labels are wrong, by the answers of people who were asked again. Arrays only.

An image whose label seems known is asked about again, and answers V come that the label has not
heard. People err, so an answer against the label is no proof. With e the wrong share of the labels,

    P(V) = (1 - e) P(V | true = label) + e mean over k ≠ label of P(V | true = k)

and e is what makes all these answers likeliest under a weak prior, Beta(1, 20). Whatever people
said after the first of them belongs to V: an image whose label is contradicted is asked about until
it is clear, and since only answers decide how often, the likelihood stays what it is.

Images are asked again more often where grids are about their class. Their weights give each trait
(the class, the confidence) its share of all the labels back: iterative proportional fitting (Deming
and Stephan 1940). Weights add up to Kish's effective number, so that an interval is no narrower
than the answers bear.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelhub.votes.arrays import Floats, Ints

PRIOR_WRONG, PRIOR_RIGHT = 1.0, 20.0  # of Beta: a twentieth is wrong, as believable as 20 answers
PROBABILITY = 0.95  # that the true share lies in the interval
TURNS = 20
HEAVIEST = 4.0  # times the mean weight: a class seen once speaks for no more
CERTAIN = 30.0  # log odds: as much as anybody's word can weigh

_SHARES = np.linspace(0, 1, 601)[1:-1] ** 2  # dense where labels are mostly right
_WIDTHS = np.gradient(_SHARES)


@dataclass(frozen=True)
class WrongShare:
    """The likeliest wrong share, and the narrowest interval that holds 95 % of its posterior."""

    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Trait:
    """Something by which labels differ in how often they are asked about again."""

    of_answers: Ints  # (n,) the category of each image that was asked about again
    labels: Floats  # (categories,) how many labels there are of each


def odds_of_wrong(said: Floats, label: Ints) -> Floats:
    """(n,) P(V | label wrong) / P(V | label right).

    ``said`` (n, K) is the sum of log P(answer | true k) over V, as ``aggregation.evidence`` gives
    it; ``label`` (n,) is the label that was judged, 0..K-1.
    """
    rows = np.arange(len(label))
    apart = np.clip(said - said[rows, label][:, None], -CERTAIN, CERTAIN)
    others = np.exp(apart)
    others[rows, label] = 0.0
    return np.asarray(others.sum(axis=1) / (said.shape[1] - 1))


def weights_of(traits: Sequence[Trait], count: int) -> Floats:
    """(count,) what each answered image counts for; they add up to Kish's effective number.

    A category without an answer is taken to be like the others.
    """
    weights = np.ones(count)
    for _ in range(TURNS):
        for trait in traits:
            held = np.bincount(trait.of_answers, weights, minlength=len(trait.labels))
            wanted = np.where(held > 0, trait.labels, 0.0)
            if not wanted.sum():
                continue
            factors = wanted / wanted.sum() * held.sum() / np.where(held > 0, held, 1.0)
            weights = weights * factors[trait.of_answers]
    weights = np.minimum(weights, HEAVIEST * weights.mean())
    return np.asarray(weights * weights.sum() / np.sum(weights**2))


def wrong_share(odds: Floats, weights: Floats) -> WrongShare:
    """The wrong share of the labels, from ``odds_of_wrong`` (n,) and ``weights_of`` (n,)."""
    told = np.log1p(np.outer(_SHARES, odds - 1)) @ weights  # (shares,)
    log_density = (
        told + (PRIOR_WRONG - 1) * np.log(_SHARES) + (PRIOR_RIGHT - 1) * np.log1p(-_SHARES)
    )
    density = np.exp(log_density - log_density.max())
    likeliest = np.argsort(-density, kind="stable")
    mass = np.cumsum((density * _WIDTHS)[likeliest])
    within = likeliest[: int(np.searchsorted(mass, PROBABILITY * mass[-1])) + 1]
    low, high = int(within.min()), int(within.max())
    best = int(likeliest[0])
    return WrongShare(
        share=float(_SHARES[best]) if best else 0.0,
        low=float(_SHARES[low]) if low else 0.0,
        high=float(_SHARES[high]),
    )
