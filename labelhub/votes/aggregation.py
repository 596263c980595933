"""From votes to probabilities: plain arithmetic over arrays, no Django.

Notation: image i of n, class k of K, asked class c. A yes or no is a *partial* label, so every vote
multiplies the probabilities of all classes (Branson, Van Horn, Perona, "Lean Crowdsourcing", 2017):

    log p_i(k) = log prior_i(k) + sum over votes of log P(answer | true k, asked c) + const
"""

from dataclasses import dataclass

import numpy as np

from labelhub.votes.arrays import Bools, Floats, Ints
from labelhub.votes.crowd import Crowd


@dataclass(frozen=True)
class VoteTable:
    """Standing votes as columns, one row a vote; ``image`` counts within the images at hand."""

    image: Ints  # (votes,) row of the image, 0..n-1
    annotator: Ints  # (votes,) id
    asked: Ints  # (votes,) class asked about or chosen, 0..K-1
    answer: Bools  # (votes,)
    choice: Bools  # (votes,) True: a choice among all classes, False: a yes or no to one

    def only(self, chosen: Bools) -> "VoteTable":
        """Some of the votes, on the same images."""
        return VoteTable(*(column[chosen] for column in vars(self).values()))

    @classmethod
    def empty(cls) -> "VoteTable":
        none = np.zeros(0, dtype=np.int64)
        return cls(none, none, none, none.astype(bool), none.astype(bool))


def mixed_prior(prior: Floats, mix: float) -> Floats:
    """(n, K) with a share ``mix`` of uniform, so that no class is ever impossible."""
    return np.asarray((1 - mix) * prior + mix / prior.shape[1])


def posterior(prior: Floats, votes: VoteTable, crowd: Crowd) -> Floats:
    """(n, K) probabilities of each image's class, by the formula at the head of this file.

    ``prior`` is (n, K), positive, rows summing to one. The order of the votes does not matter.
    """
    return weighed(prior, evidence(votes, len(prior), crowd))


def evidence(votes: VoteTable, images: int, crowd: Crowd) -> Floats:
    """(images, K) the sum of log P(answer | true k) over the votes on each image."""
    total = np.zeros((images, crowd.classes))
    np.add.at(total, votes.image, vote_evidence(votes, crowd))
    return total


def weighed(prior: Floats, said: Floats) -> Floats:
    """(n, K) probabilities from a prior (n, K), positive, and the ``evidence`` (n, K)."""
    log_p = np.log(prior) + said
    log_p -= log_p.max(axis=1, keepdims=True)
    p = np.exp(log_p)
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def vote_evidence(votes: VoteTable, crowd: Crowd) -> Floats:
    """(votes, K) log P(answer | true k) of each vote: what it adds to its image.

    The vote of somebody whose answers tell nothing adds nothing.
    """
    offsets = crowd.skills.of(votes.annotator)
    select = crowd.select_chances(votes.asked, offsets)
    chance = np.where(votes.answer[:, None], select, 1 - select)
    if votes.choice.any():
        choose = crowd.choice_chances(votes.asked, offsets)
        chance = np.where(votes.choice[:, None], choose, chance)
    return np.asarray(np.log(chance) * offsets.counts[:, None])


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
