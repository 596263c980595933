"""Fits the annotator model to standing votes: the crowd's rates and each person's two coins.

Expectation maximisation in the yes/no form of Dawid and Skene (1979), warm-started. Truth comes
from a prior that has not heard these votes (the network out of fold, or Gold) and from all of them.
Offsets are those of a random-effects logistic regression, shrunk by Student's t: a crowd of equals
is fitted as equals, and a spammer among them is not taken for one. Its scale is learned.
"""

from dataclasses import dataclass, replace

import numpy as np

from labelhub.votes.aggregation import VoteTable, information_of_votes, posterior
from labelhub.votes.arrays import Bools, Floats, Ints
from labelhub.votes.coins import RATE_STRENGTH, Coins
from labelhub.votes.crowd import (
    CHOICE_ACCURACY,
    FALSE_ALARM_RATE,
    HIT_RATE,
    HOPELESS,
    Crowd,
    Skills,
    logit,
    sigmoid,
)

TURNS = 40
ENOUGH = 1e-3  # change of any probability or rate, below which the search ends
NEWTON_STEPS = 2  # within a turn
LEAST_TRUTH = 1e-12
LEAST_KNOWN = 0.01  # of what there is to know, for a prior to say anything


class _Tiles:
    """The yes/no votes; two coins, since people differ in threshold and in skill."""

    def __init__(self, votes: VoteTable, who: Ints, crowd: Crowd, known: Skills) -> None:
        use = ~votes.choice
        self.image, self.asked, self.who = votes.image[use], votes.asked[use], who[use]
        self.yes = votes.answer[use].astype(np.float64)
        self.rows = np.arange(len(self.asked))
        self.cell = np.arange(crowd.classes) * crowd.classes + self.asked[:, None]  # (votes, K)
        diagonal, logits = np.eye(crowd.classes, dtype=bool), crowd.select_logits
        hits, alarms = logits[diagonal], logits[~diagonal]
        self.hits = Coins(hits, float(hits.mean()), HIT_RATE, known.hits)
        self.alarms = Coins(alarms, _mean(alarms), FALSE_ALARM_RATE, known.alarms)
        self.diagonal = diagonal

    def fit(self, truth: Floats, counts: Bools) -> None:
        """One turn towards what the ``truth`` (n, K) of the images makes likeliest."""
        w = truth[self.image]
        people = len(counts)
        for _ in range(NEWTON_STEPS):
            residual, information = self._pulls(w, self._matrix(pooled=False))
            for coins, part in ((self.hits, True), (self.alarms, False)):
                pulls = (self._part(one, hit=part) for one in (residual, information))
                coins.move_offsets(*(_totals(self.who, one, people) for one in pulls))
        w = w * counts[self.who][:, None]
        for _ in range(NEWTON_STEPS):
            residual, information = self._pulls(w, self._matrix(pooled=True))
            for coins, part in ((self.hits, True), (self.alarms, False)):
                pulls = (self._part(one, hit=part) for one in (residual, information))
                coins.move_pooled(*(float(one.sum()) for one in pulls))
            residual, information = self._pulls(w, self._matrix(pooled=False))
            cells = [self._by_cell(one) for one in (residual, information)]
            self.hits.move_cells(*(one[self.diagonal] for one in cells))
            self.alarms.move_cells(*(one[~self.diagonal] for one in cells))

    def _matrix(self, *, pooled: bool) -> Floats:
        """(K, K) logits; rows true class, columns class asked."""
        matrix = np.empty(self.diagonal.shape)
        matrix[self.diagonal] = self.hits.pooled if pooled else self.hits.cells
        matrix[~self.diagonal] = self.alarms.pooled if pooled else self.alarms.cells
        return matrix

    def _pulls(self, w: Floats, logits: Floats) -> tuple[Floats, Floats]:
        """(votes, K) gradient and information of the log-likelihood by each logit."""
        eta = logits[:, self.asked].T + self.alarms.offsets[self.who][:, None]
        eta[self.rows, self.asked] += (self.hits.offsets - self.alarms.offsets)[self.who]
        p = sigmoid(eta)
        return w * (self.yes[:, None] - p), w * p * (1 - p)

    def _by_cell(self, values: Floats) -> Floats:
        """(K, K) sums of (votes, K) by true class and class asked."""
        sums = _totals(self.cell.ravel(), values.ravel(), self.diagonal.size)
        return sums.reshape(self.diagonal.shape)

    def _part(self, values: Floats, *, hit: bool) -> Floats:
        """(votes,) what concerns the class asked for, or all the others, of (votes, K)."""
        own = values[self.rows, self.asked]
        return own if hit else np.asarray(values.sum(axis=1) - own)

    def rates(self) -> Floats:
        return sigmoid(self._matrix(pooled=False))

    def telling(self) -> Bools:
        """(m,) whose answers tell enough: Youden's J against the crowd's own."""
        usual = _youden(self.hits.pooled, self.alarms.pooled)
        own = _youden(
            self.hits.pooled + self.hits.offsets, self.alarms.pooled + self.alarms.offsets
        )
        return _heard_out(own, usual, self.who)


class _Choices:
    """The choices among all classes: one coin for being right, shared confusions when wrong."""

    def __init__(self, votes: VoteTable, who: Ints, crowd: Crowd, known: Skills) -> None:
        use = votes.choice
        self.image, self.chosen, self.who = votes.image[use], votes.asked[use], who[use]
        self.rows = np.arange(len(self.chosen))
        self.classes = crowd.classes
        logits = crowd.choice_logits
        self.right = Coins(logits, float(logits.mean()), CHOICE_ACCURACY, known.choices)
        self.confusions = crowd.choice_rates * ~np.eye(crowd.classes, dtype=bool)

    def fit(self, truth: Floats, counts: Bools) -> None:
        """One turn, as of ``_Tiles``."""
        w = truth[self.image]
        people = len(counts)
        for _ in range(NEWTON_STEPS):
            pulls = self._pulls(w, self.right.cells)
            sums = (_totals(self.who, one.sum(axis=1), people) for one in pulls)
            self.right.move_offsets(*sums)
        w = w * counts[self.who][:, None]
        for _ in range(NEWTON_STEPS):
            pooled = np.full(self.classes, self.right.pooled)
            self.right.move_pooled(*(float(one.sum()) for one in self._pulls(w, pooled)))
            self.right.move_cells(*(one.sum(axis=0) for one in self._pulls(w, self.right.cells)))
        self._confuse(w)

    def _pulls(self, w: Floats, logits: Floats) -> tuple[Floats, Floats]:
        p = sigmoid(logits + self.right.offsets[self.who][:, None])  # (votes, K)
        residual = -w * p
        residual[self.rows, self.chosen] += w[self.rows, self.chosen]
        return residual, w * p * (1 - p)

    def _confuse(self, w: Floats) -> None:
        """As what a class is taken when it is not recognised, by the votes that are no guesses."""
        usual = sigmoid(self.right.cells)
        own = sigmoid(self.right.cells + self.right.offsets[self.who][:, None])
        like = self.confusions[:, self.chosen].T
        guessed = np.maximum(usual - own, 0.0) / max(self.classes - 1, 1)
        w = w * like / np.maximum(like + guessed, LEAST_TRUTH)
        w[self.rows, self.chosen] = 0.0
        others = max(self.classes - 1, 1)
        counted = np.full((self.classes, self.classes), RATE_STRENGTH * (1 - CHOICE_ACCURACY))
        counted /= others
        cell = np.arange(self.classes) * self.classes + self.chosen[:, None]
        counted += _totals(cell.ravel(), w.ravel(), counted.size).reshape(counted.shape)
        np.fill_diagonal(counted, 0.0)
        total = np.maximum(counted.sum(axis=1, keepdims=True), LEAST_TRUTH)
        self.confusions = counted / total * (1 - usual)[:, None]

    def rates(self) -> Floats:
        """(K, K) rows sum to one."""
        right = sigmoid(self.right.cells)
        wrong = self.confusions / np.maximum(self.confusions.sum(axis=1, keepdims=True), 1e-12)
        rates = wrong * (1 - right)[:, None]
        np.fill_diagonal(rates, right if self.classes > 1 else 1.0)
        return np.asarray(rates)

    def telling(self) -> Bools:
        """(m,) whose choices are far enough from chance, against the crowd's own."""
        chance = 1 / self.classes
        usual = float(sigmoid(np.asarray(self.right.pooled))) - chance
        own = sigmoid(self.right.pooled + self.right.offsets) - chance
        return _heard_out(own, usual, self.who)


@dataclass(frozen=True)
class Fitted:
    """A fitted crowd, and the truth (n, K) that it was fitted to."""

    crowd: Crowd
    truth: Floats


def fit(prior: Floats, votes: VoteTable, start: Crowd, *, turns: int = TURNS) -> Fitted:
    """The annotator model that votes on n images speak for; ``start`` is where the search begins.

    ``prior`` is (n, K), rows summing to one: what is known of each image without these votes, a one
    for Gold. The order of the votes does not matter. Raises ValueError for a prior that is not
    finite.
    """
    if not np.isfinite(prior).all():
        raise ValueError("a prior holds NaN or infinity")
    if not len(votes.image):
        return Fitted(start, prior)
    prior = np.maximum(prior, LEAST_TRUTH)
    told = _told(prior, votes)
    if not told.any():
        return Fitted(start, posterior(prior, votes, start))
    people, who = np.unique(votes.annotator[told], return_inverse=True)
    thought = start.skills.of(people)
    known = Skills(people, thought.hits, thought.alarms, thought.choices, thought.counts)
    crowd = replace(start, skills=known)
    heard = votes.only(told)
    tiles = _Tiles(heard, who, crowd, known)
    choices = _Choices(heard, who, crowd, known)
    truth = posterior(prior, votes, crowd)
    for _ in range(turns):
        tiles.fit(truth, crowd.skills.counts)
        choices.fit(truth, crowd.skills.counts)
        before, crowd = crowd, _crowd(people, tiles, choices)
        last, truth = truth, posterior(prior, votes, crowd)
        if max(_change(truth, last), _moved(crowd, before)) < ENOUGH:
            break
    return Fitted(crowd, truth)


def _told(prior: Floats, votes: VoteTable) -> Bools:
    """(votes,) on images of which something else is known, by the prior or by another vote.

    A lone vote on an image of which nothing is known says something of its author only if the class
    was asked at random, and it hardly ever is.
    """
    known = information_of_votes(prior) > LEAST_KNOWN
    voted = np.bincount(votes.image, minlength=len(prior))
    return np.asarray((known | (voted > 1))[votes.image])


def _crowd(people: Ints, tiles: _Tiles, choices: _Choices) -> Crowd:
    skills = Skills(
        annotators=people,
        hits=tiles.hits.offsets,
        alarms=tiles.alarms.offsets,
        choices=choices.right.offsets,
        counts=tiles.telling() & choices.telling(),
    )
    return Crowd(tiles.rates(), choices.rates(), skills)


def _moved(crowd: Crowd, before: Crowd) -> float:
    """The largest change of a rate, the crowd's or a person's."""
    return max(
        _change(crowd.select_rates, before.select_rates),
        _change(crowd.choice_rates, before.choice_rates),
        *(
            _change(sigmoid(getattr(crowd.skills, name)), sigmoid(getattr(before.skills, name)))
            for name in ("hits", "alarms", "choices")
        ),
    )


def _change(one: Floats, other: Floats) -> float:
    return float(np.abs(one - other).max())


def _totals(who: Ints, values: Floats, people: int) -> Floats:
    """(people,) the sum of the values (votes,) of each."""
    return np.bincount(who, values, minlength=people).astype(np.float64)


def _mean(logits: Floats) -> float:
    return float(logits.mean()) if len(logits) else float(logit(np.asarray(FALSE_ALARM_RATE)))


def _heard_out(own: Floats, usual: Floats | float, who: Ints) -> Bools:
    """(m,) who tells enough of what the crowd tells, or never answered in this form.

    ``own`` (m,) and ``usual`` are above zero where answers tell something. Liars who are most of
    those that answer in this form bring ``usual`` below: it must not silence those who never did.
    """
    silent = np.bincount(who, minlength=len(own)) == 0
    return np.asarray(silent | (own >= HOPELESS * np.maximum(usual, 0.0)))


def _youden(hit: Floats | float, alarm: Floats | float) -> Floats:
    return sigmoid(np.asarray(hit)) - sigmoid(np.asarray(alarm))
