"""From votes to probabilities: plain arithmetic over arrays, no Django.

Notation: image i of n, class k of K, asked class c. A yes or no is a *partial* label, so every vote
multiplies the probabilities of all classes (Branson, Van Horn, Perona, "Lean Crowdsourcing", 2017):

    log p_i(k) = log prior_i(k) + sum over votes of log P(answer | true k, asked c) + const
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

HIT_RATE, FALSE_ALARM_RATE = 0.90, 0.02  # of a crowd nobody has measured yet
RATE_STRENGTH = 20.0  # pseudo-votes behind those two
PAIR_STRENGTH = 20.0  # pseudo-votes that hold a pair of classes to the pooled false-alarm rate
RATE_FLOOR = 0.002  # nobody is believed to be without error
CHOICE_ACCURACY = 0.85


@dataclass(frozen=True)
class VoteTable:
    """Standing votes as columns, one row a vote; ``image`` counts within the images at hand."""

    image: Ints  # (votes,) row of the image, 0..n-1
    asked: Ints  # (votes,) class asked about or chosen, 0..K-1
    answer: Bools  # (votes,)
    choice: Bools  # (votes,) True: a choice among all classes, False: a yes or no to one

    @classmethod
    def empty(cls) -> "VoteTable":
        none = np.zeros(0, dtype=np.int64)
        return cls(none, none, none.astype(bool), none.astype(bool))


def default_select_rates(classes: int) -> Floats:
    """(K, K) P(select c | true k) before anything is measured."""
    rates = np.full((classes, classes), FALSE_ALARM_RATE)
    np.fill_diagonal(rates, HIT_RATE)
    return rates


def default_choice_rates(classes: int) -> Floats:
    """(K, K) P(choose c | true k) before anything is measured; rows sum to one."""
    rates = np.full((classes, classes), (1 - CHOICE_ACCURACY) / max(classes - 1, 1))
    np.fill_diagonal(rates, CHOICE_ACCURACY)
    return rates


def mixed_prior(prior: Floats, mix: float) -> Floats:
    """(n, K) with a share ``mix`` of uniform, so that no class is ever impossible."""
    return np.asarray((1 - mix) * prior + mix / prior.shape[1])


def posterior(
    prior: Floats, votes: VoteTable, *, select_rates: Floats, choice_rates: Floats
) -> Floats:
    """(n, K) probabilities of each image's class, by the formula at the head of this file.

    ``prior`` is (n, K), positive, rows summing to one. The order of the votes does not matter.
    """
    said = evidence(votes, len(prior), select_rates=select_rates, choice_rates=choice_rates)
    return weighed(prior, said)


def evidence(
    votes: VoteTable, images: int, *, select_rates: Floats, choice_rates: Floats
) -> Floats:
    """(images, K) the sum of log P(answer | true k) over the votes on each image."""
    total = np.zeros((images, len(select_rates)))
    np.add.at(total, votes.image, vote_evidence(votes, select_rates, choice_rates))
    return total


def weighed(prior: Floats, said: Floats) -> Floats:
    """(n, K) probabilities from a prior (n, K), positive, and the ``evidence`` (n, K)."""
    log_p = np.log(prior) + said
    log_p -= log_p.max(axis=1, keepdims=True)
    p = np.exp(log_p)
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def vote_evidence(votes: VoteTable, select_rates: Floats, choice_rates: Floats) -> Floats:
    """(votes, K) log P(answer | true k) of each vote: what it adds to its image."""
    select = select_rates[:, votes.asked].T  # (votes, K)
    chance = np.where(votes.answer[:, None], select, 1 - select)
    chance = np.where(votes.choice[:, None], choice_rates[:, votes.asked].T, chance)
    return np.asarray(np.log(chance))


def entropy(p: Floats) -> Floats:
    """(n,) Shannon entropy of each row of (n, K), in nats."""
    return np.asarray(-np.sum(p * np.log(np.maximum(p, 1e-300)), axis=1))


def binary_entropy(p: Floats) -> Floats:
    """Entropy of a yes that comes with probability p, elementwise, in nats."""
    q = np.clip(p, 1e-12, 1 - 1e-12)
    return np.asarray(-q * np.log(q) - (1 - q) * np.log1p(-q))


def information_of_votes(p: Floats) -> Floats:
    """(n,) one minus scaled entropy of (n, K): 1 for certain, 0 for uniform."""
    return np.asarray(np.clip(1 - entropy(p) / np.log(p.shape[1]), 0.0, 1.0))


def fit_select_rates(truth: Floats, votes: VoteTable) -> Floats:
    """(K, K) P(select c | true k) from soft counts, shrunk where little was seen.

    ``truth`` is (n, K): one-hot for Gold, the consensus elsewhere. The diagonal shrinks to the
    pooled hit rate, a pair of classes to the pooled false-alarm rate; those two shrink to what an
    average crowd does (Beta priors of RATE_STRENGTH and PAIR_STRENGTH pseudo-votes).
    """
    classes = truth.shape[1]
    asked, said_yes = np.zeros((classes, classes)), np.zeros((classes, classes))
    use = ~votes.choice
    weight = truth[votes.image[use]]  # (votes, K)
    np.add.at(asked.T, votes.asked[use], weight)
    np.add.at(said_yes.T, votes.asked[use], weight * votes.answer[use, None])

    diagonal = np.eye(classes, dtype=bool)
    hit = _shrunk(said_yes[diagonal].sum(), asked[diagonal].sum(), HIT_RATE, RATE_STRENGTH)
    alarm = _shrunk(
        said_yes[~diagonal].sum(), asked[~diagonal].sum(), FALSE_ALARM_RATE, RATE_STRENGTH
    )
    pooled = np.where(diagonal, hit, alarm)
    rates = (said_yes + PAIR_STRENGTH * pooled) / (asked + PAIR_STRENGTH)
    return np.asarray(np.clip(rates, RATE_FLOOR, 1 - RATE_FLOOR))


def fit_choice_rates(truth: Floats, votes: VoteTable) -> Floats:
    """(K, K) P(choose c | true k) from soft counts; rows sum to one."""
    classes = truth.shape[1]
    chosen = PAIR_STRENGTH * default_choice_rates(classes)
    np.add.at(chosen.T, votes.asked[votes.choice], truth[votes.image[votes.choice]])
    return np.asarray(chosen / chosen.sum(axis=1, keepdims=True))


def _shrunk(successes: float, trials: float, rate: float, strength: float) -> float:
    return float((successes + strength * rate) / (trials + strength))
