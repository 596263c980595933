"""How many labels are wrong, by the answers of people who were asked again. Arrays only.

An image whose label seems known is asked about again, and answers V come that the label has not
heard. People err, so an answer against the label is no proof. With e the wrong share of the labels,

    P(V) = (1 - e) P(V | true = label) + e sum over k ≠ label of q(k) P(V | true = k)

and e is what makes all these answers likeliest under a weak prior, Beta(1, 20). Whatever people
said after the first of them belongs to V: an image whose label is contradicted is asked about until
it is clear, and since only answers decide how often, the likelihood stays what it is.

How often people miss what is there is known of all images, but those whose label seems known may be
easier, or of the harder classes. One number, by how much on the logit scale, is fitted along and
integrated out: else a crowd that errs less on them than thought would hide all wrong labels.

Images are asked again more often where grids are about their class. Their weights give each trait
(the class, the confidence) its share of all the labels back: iterative proportional fitting (Deming
and Stephan 1940). Weights add up to Kish's effective number, so that an interval is no narrower
than the answers bear.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelhub.votes.aggregation import VoteTable, evidence
from labelhub.votes.arrays import Floats, Ints
from labelhub.votes.crowd import Crowd, logit, sigmoid

PRIOR_WRONG, PRIOR_RIGHT = 1.0, 20.0  # of Beta: a twentieth is wrong, as believable as 20 answers
PROBABILITY = 0.95  # that the true share lies in the interval
TURNS = 20
HEAVIEST = 4.0  # times the mean weight: a class seen once speaks for no more
CERTAIN = 30.0  # log odds: as much as anybody's word can weigh

_SHARES = np.linspace(0, 1, 242)[1:-1] ** 3  # dense where labels are mostly right
_WIDTHS = np.gradient(_SHARES)
_EASES = np.linspace(-2.0, 3.0, 11)  # how much easier the images are, on the logit scale
_EASE_SPREAD = 1.0  # of what is believed of it


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


@dataclass(frozen=True)
class Heard:
    """What the answers on n images say of their labels, for each of several eases."""

    right: Floats  # (eases, n) log P(V | label right)
    odds: Floats  # (eases, n) P(V | label wrong) / P(V | label right)

    def only(self, chosen: Ints) -> "Heard":
        """Of some of the images, by their places."""
        return Heard(self.right[:, chosen], self.odds[:, chosen])


def heard(
    votes: VoteTable, label: Ints, beliefs: Floats, crowd: Crowd, known: Floats | None = None
) -> Heard:
    """What votes say that were cast when images were asked about again.

    ``label`` (n,) are the labels that they judge, 0..K-1; ``beliefs`` (n, K) all that was known
    without them. Where the label is wrong, the others are half as likely as these say, half equal.
    ``known`` (n, K) is added to what people say, in log odds: what is certain meanwhile.
    """
    rows = np.arange(len(label))
    others = beliefs + 1e-12
    others[rows, label] = 0.0
    equal = np.full_like(others, 1 / max(crowd.classes - 1, 1))
    equal[rows, label] = 0.0
    others = (others / others.sum(axis=1, keepdims=True) + equal) / 2
    right, odds = [], []
    for ease in _EASES:
        said = evidence(votes, len(label), eased(crowd, float(ease)))
        said = said if known is None else said + known
        right.append(said[rows, label])
        apart = np.clip(said - said[rows, label][:, None], -CERTAIN, CERTAIN)
        odds.append((others * np.exp(apart)).sum(axis=1))
    return Heard(np.array(right), np.array(odds))


def eased(crowd: Crowd, ease: float) -> Crowd:
    """The crowd over images that are easier: what is there is recognised more often."""
    select, choice = crowd.select_rates.copy(), crowd.choice_rates.copy()
    at = np.arange(crowd.classes)
    select[at, at] = sigmoid(logit(select[at, at]) + ease)
    usual = np.clip(choice[at, at], 0.0, 1 - 1e-9)
    right = sigmoid(logit(usual) + ease)
    choice *= ((1 - right) / (1 - usual))[:, None]
    choice[at, at] = right
    return Crowd(select, choice, crowd.skills)


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


def wrong_share(answers: Heard, weights: Floats) -> WrongShare:
    """The wrong share of the labels, from what was ``heard`` of n and ``weights_of`` them (n,)."""
    told = np.array(
        [
            (right + np.log1p(np.outer(_SHARES, odds - 1))) @ weights
            for right, odds in zip(answers.right, answers.odds, strict=True)
        ]
    )  # (eases, shares)
    told -= (_EASES**2 / (2 * _EASE_SPREAD**2))[:, None]
    told += (PRIOR_WRONG - 1) * np.log(_SHARES) + (PRIOR_RIGHT - 1) * np.log1p(-_SHARES)
    density = np.exp(told - told.max()).sum(axis=0)
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
