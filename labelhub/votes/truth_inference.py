"""Truth from labels that other tools collected: each answer names one class of K. Arrays only.

Majority, one coin an annotator, and confusion matrices (Dawid and Skene 1979, "Maximum Likelihood
Estimation of Observer Error-Rates Using the EM Algorithm"), each by what
(annotators, K, K) rates make likeliest. Matrices are shrunk to the crowd's own: Dirichlet priors of
STRENGTH answers, so that an annotator with one answer counts like the crowd.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelhub.votes.aggregation import VoteTable
from labelhub.votes.arrays import Bools, Floats, Ints
from labelhub.votes.crowd import Crowd
from labelhub.votes.fitting import fit

TURNS = 50
ENOUGH = 1e-3  # mean change of a probability, below which the search ends: longer ones overfit
STRENGTH = 1.0  # answers' worth of belief that an annotator answers like the crowd
CROWD_STRENGTH = 2.0  # the same of the crowd itself, in answers of each kind
LEAST_RATE = 1e-6
BLOCK = 1 << 14  # rows
MAYBE_STRENGTH = 20.0
GRID_TURNS, GRID_INNER_TURNS, GRID_ENOUGH = 100, 2, 1e-5


@dataclass(frozen=True)
class LabelTable:
    """V answers as columns: annotator a says that item i is of class ``label``."""

    item: Ints  # (V,) 0..items-1, ascending
    annotator: Ints  # (V,) 0..annotators-1
    label: Ints  # (V,) 0..classes-1
    items: int
    annotators: int
    classes: int

    @classmethod
    def of(cls, item: Ints, annotator: Ints, label: Ints, *, classes: int) -> "LabelTable":
        """From columns in any order."""
        order = np.argsort(item, kind="stable")
        items, annotators = (int(c.max(initial=-1)) + 1 for c in (item, annotator))
        return cls(item[order], annotator[order], label[order], items, annotators, classes)


def majority(table: LabelTable) -> Floats:
    """(items, K) shares of the answers; an item without any gets the shares of all answers."""
    cell = table.item * table.classes + table.label
    counts = np.bincount(cell, minlength=table.items * table.classes).astype(np.float64)
    shares = counts.reshape(table.items, table.classes)
    everywhere = shares.sum(axis=0, keepdims=True) + 1e-9
    shares[shares.sum(axis=1) == 0] = everywhere
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def one_coin(table: LabelTable) -> Floats:
    """(items, K) by one accuracy an annotator, the same for every class; errors fall evenly."""
    return _searched(table, _coins)


def dawid_skene(table: LabelTable) -> Floats:
    """(items, K) by a confusion matrix an annotator."""
    return _searched(table, _confusions)


def grid(table: LabelTable) -> Floats:
    """(items, 2): no and yes, by the product's own consensus over tiles, without a network.

    ``table`` has two classes, no and yes, or three, with maybe between them. A maybe is no
    selection; how often it is said of what is there, and of what is not, is fitted beside it. The
    share of yes is fitted too, since two votes an item tell little of it: many short turns.
    """
    yes, maybe = table.label == table.classes - 1, (table.label == 1) & (table.classes == 3)
    nothing = np.zeros(len(table.item), dtype=np.int64)
    votes = VoteTable(table.item, table.annotator, nothing, yes, nothing.astype(bool))
    crowd, share = Crowd.unmeasured(2), np.array([0.5, 0.5])  # of what is there, and is not
    maybes = np.array([0.2, 0.05]) if table.classes == 3 else np.zeros(2)
    truth = np.tile(share, (table.items, 1))
    for _ in range(GRID_TURNS):
        prior = _with_maybes(table, share, maybes, yes, maybe)
        fitted = fit(prior, votes, crowd, turns=GRID_INNER_TURNS)
        crowd, before, truth = fitted.crowd, truth, fitted.truth
        share = (truth.sum(axis=0) + 2) / (table.items + 4)
        maybes = _maybe_rates(truth[table.item], yes, maybe) if table.classes == 3 else maybes
        if np.abs(truth - before).mean() < GRID_ENOUGH:
            break
    return truth[:, ::-1]


def _with_maybes(
    table: LabelTable, share: Floats, maybes: Floats, yes: Bools, maybe: Bools
) -> Floats:
    """(items, 2) what shares and maybes say; a yes is counted by the votes."""
    log_p = np.tile(np.log(share), (table.items, 1))
    said = np.where(maybe[:, None], np.log(np.maximum(maybes, LEAST_RATE)), np.log1p(-maybes))
    log_p += _sums(table.item, said * ~yes[:, None], table.items)
    return _normalised(log_p)


def _maybe_rates(truth: Floats, yes: Bools, maybe: Bools) -> Floats:
    """(2,) share of maybe among what is not selected, by the truth (V, 2) of each answer."""
    usual = MAYBE_STRENGTH * np.array([0.2, 0.05])
    return np.asarray(
        ((truth * maybe[:, None]).sum(axis=0) + usual)
        / ((truth * ~yes[:, None]).sum(axis=0) + MAYBE_STRENGTH)
    )


METHODS: dict[str, Callable[[LabelTable], Floats]] = {
    "dawid-skene": dawid_skene,
    "one-coin": one_coin,
    "majority": majority,
    "grid": grid,
}


def accuracy(p: Floats, truth: Ints) -> float | None:
    """Share of items whose likeliest class is the true one; equals count in parts, and an item
    whose ``truth`` (items,) is negative not at all. None where none is scored."""
    scored = truth >= 0
    if not scored.any():
        return None
    best = np.isclose(p, p.max(axis=1, keepdims=True), rtol=0, atol=1e-12)[scored]
    right = best[np.arange(len(best)), truth[scored]]
    return float(np.mean(right / best.sum(axis=1)))


def _searched(table: LabelTable, model: Callable[[Floats], Floats]) -> Floats:
    """Expectation maximisation from the majority; ``model`` turns counts into rates."""
    truth = majority(table)
    if not len(table.item):
        return truth
    words = _Words(table)
    for _ in range(TURNS):
        rates = model(words.counts(truth))
        shares = truth.sum(axis=0) + 1.0
        before, truth = truth, words.truth(np.log(rates), np.log(shares / shares.sum()))
        if np.abs(truth - before).mean() < ENOUGH:
            break
    return truth


class _Words:
    """The answers as sums to be taken again and again: by item, and by annotator and label."""

    def __init__(self, table: LabelTable) -> None:
        self.table = table
        self.words = table.annotators * table.classes
        word = table.annotator * table.classes + table.label
        narrow = word.astype(np.min_scalar_type(self.words))  # sixteen bits are sorted faster
        by_word = np.argsort(narrow, kind="stable")
        self.items_of_words = _Gathered(table.item[by_word], word[by_word], self.words)
        self.words_of_items = _Gathered(word, table.item, table.items)

    def counts(self, truth: Floats) -> Floats:
        """(annotators, K labels, K true)"""
        classes = self.table.classes
        return self.items_of_words.sums(truth).reshape(-1, classes, classes)

    def truth(self, log_rates: Floats, log_shares: Floats) -> Floats:
        """(items, K)"""
        log_words = log_rates.reshape(self.words, self.table.classes)
        return _normalised(log_shares + self.words_of_items.sums(log_words))


class _Gathered:
    """Sums of rows that are gathered by ``source`` (V,), one for each place of ``where`` (V,),
    which ascends.

    Single precision and BLOCK rows at a time: what is gathered stays in the processor's cache.
    """

    def __init__(self, source: Ints, where: Ints, places: int) -> None:
        self.places = places
        starts = np.flatnonzero(np.diff(where, prepend=where[:1] - 1))
        ends = np.append(starts[1:], len(where))
        self.blocks: list[tuple[Ints, Ints, Ints]] = []  # sources, starts of sums, their places
        first = 0
        while first < len(starts):
            begin = starts[first]
            last = max(first + 1, int(np.searchsorted(ends, begin + BLOCK, side="right")))
            sums = starts[first:last]
            self.blocks.append((source[begin : ends[last - 1]], sums - begin, where[sums]))
            first = last

    def sums(self, values: Floats) -> Floats:
        """(places, K) of ``values`` (sources, K)."""
        values = values.astype(np.float32)
        totals = np.zeros((self.places, values.shape[1]))
        for source, starts, where in self.blocks:
            rows = np.take(values, source, axis=0, mode="clip")  # plain indexing takes half again
            totals[where] = np.add.reduceat(rows, starts, axis=0)
        return totals


def _confusions(counts: Floats) -> Floats:
    """P(label | true) of each annotator, shrunk to the crowd's, and that to one coin's."""
    classes = counts.shape[1]
    crowd = counts.sum(axis=0)  # (K labels, K true)
    pooled = (crowd + CROWD_STRENGTH * _coin(crowd)) / (
        crowd.sum(axis=0, keepdims=True) + CROWD_STRENGTH
    )
    own = (counts + STRENGTH * pooled) / (counts.sum(axis=1, keepdims=True) + STRENGTH)
    return np.asarray(np.maximum(own, LEAST_RATE / classes))


def _coins(counts: Floats) -> Floats:
    """P(label | true) of each annotator by one accuracy, shrunk to the crowd's."""
    classes = counts.shape[1]
    right = np.trace(counts, axis1=1, axis2=2)  # (annotators,)
    total = counts.sum(axis=(1, 2))
    pooled = (right.sum() + 1.0) / (total.sum() + 1.0 + 1.0 / max(classes - 1, 1))
    own = (right + STRENGTH * pooled) / (total + STRENGTH)
    return _by_accuracy(np.clip(own, LEAST_RATE, 1 - LEAST_RATE), classes)


def _coin(counts: Floats) -> Floats:
    """(K, K) of one accuracy for all classes."""
    total = counts.sum() + 2.0
    right = np.array([(np.trace(counts) + 1.0) / total])
    return np.asarray(_by_accuracy(right, len(counts))[0])


def _by_accuracy(right: Floats, classes: int) -> Floats:
    """(annotators, K, K)"""
    wrong = (1 - right) / max(classes - 1, 1)
    eye = np.eye(classes)
    return np.asarray(right[:, None, None] * eye + wrong[:, None, None] * (1 - eye))


def _sums(where: Ints, values: NDArray[np.floating], places: int) -> Floats:
    """(places, K) sums of the rows (V, K) by an ascending ``where``."""
    totals = np.zeros((places, values.shape[1]))
    if len(where):
        starts = np.flatnonzero(np.diff(where, prepend=where[0] - 1))
        totals[where[starts]] = np.add.reduceat(values, starts, axis=0)
    return totals


def _normalised(log_p: Floats) -> Floats:
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))
