"""What is worth asking about an image, and in which form: expected information a second.

Plain arithmetic over arrays, no Django. Notation as in ``aggregation``.
"""

from dataclasses import dataclass

import numpy as np

from labelhub.votes.aggregation import binary_entropy, entropy
from labelhub.votes.arrays import Bools, Floats, Ints

GOLDEN_RATIO = 0.6180339887498949
TIE = 1e-9


@dataclass(frozen=True)
class Costs:
    """Seconds of a person's time: the usual figure for a tile, and the median of CIFAR-10N's
    workers for a choice. Each Round learns a project's own from the times of its answers."""

    tile: float = 1.7
    choice: float = 4.2


@dataclass(frozen=True)
class Questions:
    """The best question about each of n images."""

    asked: Ints  # (n,) class of the best yes/no question
    as_choice: Bools  # (n,) a choice among all classes tells more a second
    tile_rate: Floats  # (n,) nats a second of the yes/no question
    choice_rate: Floats  # (n,) nats a second of a choice

    @property
    def rate(self) -> Floats:
        """(n,) nats a second of the better form."""
        return np.where(self.as_choice, self.choice_rate, self.tile_rate)


def information_gain(p: Floats, select_rates: Floats) -> Floats:
    """(n, K) expected nats won by asking class c about image i.

    IG(i, c) = H(sum_k p_i(k) F[k, c]) - sum_k p_i(k) H(F[k, c]), H the binary entropy.
    """
    yes = p @ select_rates
    return np.asarray(binary_entropy(yes) - p @ binary_entropy(select_rates))


def choice_information(p: Floats, choice_rates: Floats) -> Floats:
    """(n,) expected nats won by a choice: the mutual information of truth and word,
    H(sum_k p_i(k) C[k, .]) - sum_k p_i(k) H(C[k, .])."""
    return np.asarray(entropy(p @ choice_rates) - p @ entropy(choice_rates))


def best_questions(
    p: Floats,
    *,
    select_rates: Floats,
    choice_rates: Floats,
    askable: Ints,
    costs: Costs,
    choices: bool,
    images: Ints,
) -> Questions:
    """The best question about each image, whose probabilities are ``p`` (n, K).

    ``askable`` (m,) are the classes that a grid may ask about, ``images`` (n,) the images' ids:
    ties, as before any vote or network, fall differently for each, so that every class has its
    share. Without ``choices`` only yes/no questions are considered.
    """
    gains = information_gain(p, select_rates)[:, askable]
    turns = images[:, None] * GOLDEN_RATIO + np.arange(len(askable)) / len(askable)
    best = (gains + TIE * (turns % 1.0)).argmax(axis=1)
    tile_rate = gains[np.arange(len(p)), best] / costs.tile
    choice_rate = choice_information(p, choice_rates) / costs.choice
    as_choice = (choice_rate > tile_rate) & choices
    return Questions(askable[best], as_choice, tile_rate, choice_rate)
