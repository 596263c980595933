"""The wrong share of labels is found from people's answers, who err themselves."""

from dataclasses import dataclass

import numpy as np
import pytest

from labelhub.votes.aggregation import VoteTable
from labelhub.votes.arrays import Floats, Ints
from labelhub.votes.crowd import Crowd, Skills
from labelhub.votes.settled_error import (
    CERTAIN,
    Heard,
    Trait,
    WrongShare,
    eased,
    heard,
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


def asked(of: World, images: Ints, dice: np.random.Generator, *, hit: float = HIT) -> VoteTable:
    """What people say who are asked whether the label is right, and again where they say no."""
    rows, answers = [], []
    for row, image in enumerate(images):
        yes = hit if of.true[image] == of.label[image] else ALARM
        said = [bool(dice.random() < yes)]
        while not said[-1] and len(said) < AGAIN:
            said.append(bool(dice.random() < yes))
        rows += [row] * len(said)
        answers += said
    at = np.array(rows)
    no_choice = np.zeros(len(at), dtype=bool)
    return VoteTable(at, np.arange(len(at)), of.label[images][at], np.array(answers), no_choice)


def measured(of: World, images: Ints, dice: np.random.Generator, *, hit: float = HIT) -> WrongShare:
    label = of.label[images]
    equal = np.full((len(images), CLASSES), 1 / CLASSES)
    answers = heard(asked(of, images, dice, hit=hit), label, equal, crowd())
    everywhere = np.bincount(of.label, minlength=CLASSES).astype(np.float64)
    return wrong_share(answers, weights_of([Trait(label, everywhere)], len(images)))


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


@pytest.mark.parametrize("hit", [0.75, 0.97])
def test_images_that_are_easier_or_harder_than_others_hide_no_error_and_make_none(
    hit: float,
) -> None:
    """People were thought to find nine in ten; of these images they find more, or fewer."""
    hits, found = 0, []
    for seed in range(40):
        dice = np.random.default_rng(seed)
        of = world(np.full(CLASSES, 0.03), dice)
        told = measured(of, dice.permutation(LABELS)[:300], dice, hit=hit)
        hits += told.low <= of.wrong <= told.high
        found.append(told.share)
    assert hits >= 0.9 * 40
    assert np.mean(found) == pytest.approx(0.03, abs=0.01)


def test_the_class_that_was_thought_of_next_weighs_more_when_people_name_it() -> None:
    """Of a label, a cat, it was known that it may be a dog; somebody chooses the dog, or a ship."""
    cat, dog, ship = 0, 1, 2
    beliefs = np.array([[0.98, 0.019, *[0.001 / (CLASSES - 2)] * (CLASSES - 2)]] * 2)
    votes = VoteTable(
        image=np.array([0, 1]),
        annotator=np.array([1, 2]),
        asked=np.array([dog, ship]),
        answer=np.ones(2, dtype=bool),
        choice=np.ones(2, dtype=bool),
    )
    answers = heard(votes, np.array([cat, cat]), beliefs, crowd())
    assert (answers.odds[:, 0] > 2 * answers.odds[:, 1]).all()


def say_nothing(count: int) -> Heard:
    eases = len(heard(VoteTable.empty(), np.zeros(1, dtype=np.int64), ANY, crowd()).right)
    return Heard(np.zeros((eases, count)), np.ones((eases, count)))


ANY = np.full((1, CLASSES), 1 / CLASSES)


def test_answers_that_tell_nothing_leave_what_was_believed() -> None:
    told = wrong_share(say_nothing(500), np.ones(500))
    assert told == wrong_share(say_nothing(0), np.zeros(0))
    assert (told.share, told.low) == (0.0, 0.0)
    assert told.high == pytest.approx(0.139, abs=0.005)  # where Beta(1, 20) has 95 % below


def test_more_answers_narrow_the_interval() -> None:
    dice = np.random.default_rng(0)
    of = world(np.zeros(CLASSES), dice)
    high = [measured(of, np.arange(count), dice).high for count in (20, 200, 2000)]
    assert high == sorted(high, reverse=True)
    assert high[-1] < 0.005


def test_nobodys_words_are_infinitely_sure() -> None:
    known = np.zeros((2, CLASSES))
    known[0, 0], known[1, 1] = 1e6, 1e6  # the first label, a 0, is certain; the other one is not
    label = np.zeros(2, dtype=np.int64)
    answers = heard(VoteTable.empty(), label, np.repeat(ANY, 2, axis=0), crowd(), known)
    assert np.isfinite(answers.odds).all()
    assert (answers.odds[:, 0] <= np.exp(-CERTAIN)).all()
    assert (answers.odds[:, 1] > 1e9).all()


def test_an_easier_crowd_recognises_more_and_confuses_in_the_same_way() -> None:
    usual = Crowd.unmeasured(CLASSES)
    easier = eased(usual, 1.0)
    off = ~np.eye(CLASSES, dtype=bool)
    assert (np.diag(easier.select_rates) > np.diag(usual.select_rates)).all()
    assert easier.select_rates[off] == pytest.approx(usual.select_rates[off])
    assert easier.choice_rates.sum(axis=1) == pytest.approx(1.0)
    assert eased(usual, 0.0).choice_rates == pytest.approx(usual.choice_rates)


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
