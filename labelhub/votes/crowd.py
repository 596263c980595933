"""How people answer: the crowd's rates, and how each known annotator differs. Arrays only.

Everybody has a threshold as well as a skill, so there are two coins and never one (Dawid and Skene
1979; Welinder et al. 2010, "The Multidimensional Wisdom of Crowds"): annotator a selects a tile of
the class asked with

    P(yes | true = asked) = sigmoid(logit F[k, k] + hits_a)
    P(yes | true = k)     = sigmoid(logit F[k, asked] + alarms_a)

and chooses the true class among all with sigmoid(logit C[k, k] + choices_a). A stranger has no
offsets: a newcomer counts like the crowd.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labelhub.votes.arrays import Bools, Floats, Ints

HIT_RATE, FALSE_ALARM_RATE = 0.90, 0.02  # of a crowd nobody has measured yet
CHOICE_ACCURACY = 0.85
RATE_FLOOR = 0.002  # nobody is believed to be without error
HOPELESS = 0.3  # of what the crowd's answers tell: less does not count

_STORED = np.dtype(
    [("annotator", "<i8"), ("hits", "<f4"), ("alarms", "<f4"), ("choices", "<f4"), ("counts", "?")]
)


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x)) without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def logit(p: Floats) -> Floats:
    """log p / (1 - p); the bounds are RATE_FLOOR and one minus it."""
    q = np.clip(p, RATE_FLOOR, 1 - RATE_FLOOR)
    return np.asarray(np.log(q) - np.log1p(-q))


@dataclass(frozen=True)
class Offsets:
    """What is known of the annotators of v votes, one row a vote."""

    hits: Floats  # (v,) on the logit scale
    alarms: Floats
    choices: Floats
    counts: Bools  # (v,) False: the vote weighs nothing


@dataclass(frozen=True)
class Skills:
    """m annotators and how they differ from the crowd; ``annotators`` ascend."""

    annotators: Ints  # (m,) ids
    hits: Floats  # (m,) added to the logit of selecting what is there
    alarms: Floats  # (m,) of selecting what is not
    choices: Floats  # (m,) of choosing the right class
    counts: Bools  # (m,) False where the answers tell too little: those votes weigh nothing

    @classmethod
    def nobody(cls) -> "Skills":
        none = np.zeros(0)
        return cls(none.astype(np.int64), none, none, none, none.astype(bool))

    def of(self, annotators: Ints) -> Offsets:
        """The offsets of those who cast some votes, by their ids (v,); strangers have none."""
        if not len(self.annotators):
            none = np.zeros(len(annotators))
            return Offsets(none, none, none, np.ones(len(annotators), dtype=bool))
        place = np.searchsorted(self.annotators, annotators)
        place = np.minimum(place, len(self.annotators) - 1)
        known = self.annotators[place] == annotators
        hits, alarms, choices = (
            np.where(known, column[place], 0.0) for column in (self.hits, self.alarms, self.choices)
        )
        return Offsets(hits, alarms, choices, self.counts[place] | ~known)

    def to_bytes(self) -> bytes:
        """As a database keeps it: what is read back is used, so that all compute the same."""
        rows = np.zeros(len(self.annotators), dtype=_STORED)
        for name, column in zip(_STORED.names or (), vars(self).values(), strict=True):
            rows[name] = column
        return rows.tobytes()

    @classmethod
    def from_bytes(cls, stored: bytes) -> "Skills":
        """Raises ValueError for bytes of another length than rows have."""
        rows = np.frombuffer(stored, dtype=_STORED)
        hits, alarms, choices = (
            rows[name].astype(np.float64) for name in ("hits", "alarms", "choices")
        )
        return cls(rows["annotator"].astype(np.int64), hits, alarms, choices, rows["counts"].copy())


@dataclass(frozen=True)
class Crowd:
    """The annotator model over K classes."""

    select_rates: Floats  # (K, K) P(select c | true k)
    choice_rates: Floats  # (K, K) P(choose c | true k), rows sum to one
    skills: Skills

    @classmethod
    def unmeasured(cls, classes: int) -> "Crowd":
        """What an average crowd does."""
        return cls(default_select_rates(classes), default_choice_rates(classes), Skills.nobody())

    @property
    def classes(self) -> int:
        return len(self.select_rates)

    @cached_property
    def select_logits(self) -> Floats:
        """(K, K)"""
        return logit(self.select_rates)

    @cached_property
    def choice_logits(self) -> Floats:
        """(K,) of choosing the true class."""
        return logit(np.diagonal(self.choice_rates))

    def select_chances(self, asked: Ints, offsets: Offsets) -> Floats:
        """(v, K) P(select | true k) of v yes/no questions about the classes ``asked``."""
        eta = self.select_logits[:, asked].T + offsets.alarms[:, None]
        rows = np.arange(len(asked))
        eta[rows, asked] += offsets.hits - offsets.alarms
        return np.clip(sigmoid(eta), RATE_FLOOR, 1 - RATE_FLOOR)

    def choice_chances(self, chosen: Ints, offsets: Offsets) -> Floats:
        """(v, K) P(choose the class ``chosen`` | true k).

        Who is better than the crowd errs like the crowd, less often; who is worse errs like it and
        guesses besides.
        """
        right = np.clip(sigmoid(self.choice_logits + offsets.choices[:, None]), *_BOUNDS)  # (v, K)
        usual = np.clip(np.diagonal(self.choice_rates), *_BOUNDS)  # (K,)
        like_crowd = self.choice_rates[:, chosen].T * np.minimum((1 - right) / (1 - usual), 1.0)
        guessed = np.maximum(usual - right, 0.0) / max(self.classes - 1, 1)
        chances = like_crowd + guessed
        rows = np.arange(len(chosen))
        chances[rows, chosen] = right[rows, chosen]
        return np.clip(chances, RATE_FLOOR / self.classes, 1.0)


_BOUNDS = (RATE_FLOOR, 1 - RATE_FLOOR)


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
