"""The wrong share of labels is found from people's answers, who err themselves."""

from dataclasses import dataclass

import numpy as np
import pytest

from labelhub.votes.aggregation import VoteTable, evidence
from labelhub.votes.arrays import Floats, Ints
from labelhub.votes.crowd import Crowd, Skills
from labelhub.votes.settled_error import (
    Trait,
    WrongShare,
    odds_of_wrong,
    weights_of,
    wrong_share,
)

CLASSES = 6
HIT, ALARM = 0.9, 0.02
LABELS = 6000
AGAIN = 4  # answers after one that contradicts the label


def crowd(hit: float = HIT, alarm: float = ALARM) -> Crowd:
    rates = np.full((CLASSES, CLASSES), alarm)
    np.fill_diagonal(rates, hit)
    return Crowd(rates, Crowd.unmeasured(CLASSES).choice_rates, Skills.nobody())


@dataclass(frozen=True)
class World:
    """Labels, a share of them wrong, and people who know the truth as well as ``crowd`` says."""

    label: Ints
    true: Ints

    @property
    def wrong(self) -> float:
        return float((self.label != self.true).mean())


def world(wrong: Floats, dice: np.random.Generator) -> World:
    """``wrong`` (K,) is the share of each class."""
    label = dice.integers(0, CLASSES, LABELS)
    other = (label + dice.integers(1, CLASSES, LABELS)) % CLASSES
    return World(label, np.where(dice.random(LABELS) < wrong[label], other, label))


def asked(of: World, images: Ints, dice: np.random.Generator) -> Floats:
    """What people say who are asked whether the label is right, and again where they say no."""
    rows, answers = [], []
    for row, image in enumerate(images):
        hit = HIT if of.true[image] == of.label[image] else ALARM
        said = [bool(dice.random() < hit)]
        if not said[0]:
            said += [bool(yes) for yes in dice.random(AGAIN) < hit]
        rows += [row] * len(said)
        answers += said
    at = np.array(rows)
    no_choice = np.zeros(len(at), dtype=bool)
    votes = VoteTable(at, np.arange(len(at)), of.label[images][at], np.array(answers), no_choice)
    return evidence(votes, len(images), crowd())


def measured(of: World, images: Ints, dice: np.random.Generator) -> WrongShare:
    label = of.label[images]
    odds = odds_of_wrong(asked(of, images, dice), label)
    everywhere = np.bincount(of.label, minlength=CLASSES).astype(np.float64)
    return wrong_share(odds, weights_of([Trait(label, everywhere)], len(images)))


@pytest.mark.parametrize("share", [0.0, 0.005, 0.02, 0.08])
def test_the_true_share_lies_in_the_interval_nineteen_times_in_twenty(share: float) -> None:
    hits, found = 0, []
    for seed in range(60):
        dice = np.random.default_rng(seed)
        of = world(np.full(CLASSES, share), dice)
        told = measured(of, dice.permutation(LABELS)[:300], dice)
        hits += told.low <= of.wrong <= told.high
        found.append(told.share)
    assert hits >= 0.93 * 60
    assert np.mean(found) == pytest.approx(share, abs=0.25 * share + 0.001)


def test_a_class_that_is_asked_about_more_often_does_not_speak_for_all() -> None:
    """A tenth of its labels are wrong; grids are about it five times as often."""
    hard = np.where(np.arange(CLASSES) == 0, 0.10, 0.005)
    hits, found, naive = 0, [], []
    for seed in range(40):
        dice = np.random.default_rng(seed)
        of = world(hard, dice)
        often = np.where(of.label == 0, 5.0, 1.0)
        images = dice.choice(LABELS, 400, replace=False, p=often / often.sum())
        told = measured(of, images, dice)
        hits += told.low <= of.wrong <= told.high
        found.append(told.share / of.wrong)
        naive.append((of.label != of.true)[images].mean() / of.wrong)
    assert np.mean(naive) > 1.5
    assert np.mean(found) == pytest.approx(1.0, abs=0.2)
    assert hits >= 0.9 * 40


def test_careless_people_alone_do_not_make_labels_wrong() -> None:
    """One in three answers contradicts a label that is right, for one in three misses it."""
    dice = np.random.default_rng(0)
    votes = VoteTable(
        image=np.arange(900),
        annotator=np.arange(900),
        asked=np.zeros(900, dtype=np.int64),
        answer=dice.random(900) < 2 / 3,
        choice=np.zeros(900, dtype=bool),
    )
    said = evidence(votes, 900, crowd(hit=2 / 3))
    told = wrong_share(odds_of_wrong(said, np.zeros(900, dtype=np.int64)), np.ones(900))
    assert told.low <= 0.005
    assert told.high < 0.09


def test_answers_that_tell_nothing_leave_what_was_believed() -> None:
    told = wrong_share(np.ones(500), np.ones(500))
    believed = wrong_share(np.zeros(0), np.zeros(0))
    assert told == believed
    assert (told.share, told.low) == (0.0, 0.0)
    assert told.high == pytest.approx(0.139, abs=0.003)  # where Beta(1, 20) has 95 % below


def test_more_answers_narrow_the_interval() -> None:
    right = [wrong_share(np.full(count, 0.1), np.ones(count)).high for count in (20, 200, 2000)]
    assert right == sorted(right, reverse=True)
    assert right[-1] < 0.002


def test_no_words_of_people_are_infinitely_sure() -> None:
    said = np.zeros((2, CLASSES))
    said[0, 0], said[1, 1] = 1e6, 1e6
    odds = odds_of_wrong(said, np.zeros(2, dtype=np.int64))
    assert np.isfinite(odds).all()
    assert odds[0] < 1e-9
    assert odds[1] > 1e9


def test_weights_give_each_trait_its_share_and_no_more_certainty_than_there_is() -> None:
    of_class, of_band = np.repeat([0, 1], [90, 30]), np.tile([0, 1, 2], 40)
    whole = [Trait(of_class, np.array([500.0, 500.0])), Trait(of_band, np.array([6.0, 2.0, 2.0]))]
    weights = weights_of(whole, 120)
    assert np.bincount(of_class, weights) / weights.sum() == pytest.approx([0.5, 0.5], abs=0.01)
    assert np.bincount(of_band, weights) / weights.sum() == pytest.approx([0.6, 0.2, 0.2], abs=0.01)
    assert weights.sum() < 120
    assert weights_of([Trait(of_class, np.array([90.0, 30.0]))], 120) == pytest.approx(1.0)


def test_a_category_nobody_was_asked_about_is_taken_to_be_like_the_others() -> None:
    seen = np.zeros(10, dtype=np.int64)
    assert weights_of([Trait(seen, np.array([5.0, 95.0]))], 10) == pytest.approx(1.0)
    assert weights_of([Trait(seen, np.zeros(2))], 10) == pytest.approx(1.0)
