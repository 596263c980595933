"""One in five means no good: what people say together stays right, and who means no good is heard
no more. Votes alone, without a network and without Gold."""

import numpy as np
import pytest

from labelhub.votes.aggregation import VoteTable
from labelhub.votes.arrays import Floats, Ints
from labelhub.votes.crowd import Crowd
from labelhub.votes.fitting import Fitted, fit
from labelhub.votes.truth_inference import METHODS, LabelTable, accuracy

CLASSES = 4
IMAGES = 600
HONEST, ROGUES = np.arange(20), np.arange(100, 105)
EACH = 200  # votes of a person: about seven an image
FEW_POINTS = 0.02
NAMELESS = np.full((IMAGES, CLASSES), 1 / CLASSES)


@pytest.fixture
def true() -> Ints:
    return np.random.default_rng(0).integers(0, CLASSES, IMAGES)


def said(seen: Ints, people: Ints, hit: float, alarm: float, seed: int) -> VoteTable:
    """Yes/no votes of people who take every image for what ``seen`` (n,) says."""
    rng = np.random.default_rng(seed)
    image = np.concatenate([rng.permutation(len(seen))[:EACH] for _ in people])
    asked = np.where(
        rng.random(len(image)) < 0.5, seen[image], rng.integers(0, CLASSES, len(image))
    )
    yes = rng.random(len(image)) < np.where(asked == seen[image], hit, alarm)
    return VoteTable(image, np.repeat(people, EACH), asked, yes, np.zeros(len(image), dtype=bool))


def named(seen: Ints, people: Ints, right: float, seed: int) -> VoteTable:
    """Choices of people who name what they see so often, else anything."""
    rng = np.random.default_rng(seed)
    image = np.concatenate([rng.permutation(len(seen))[:EACH] for _ in people])
    anything = rng.integers(0, CLASSES, len(image))
    chosen = np.where(rng.random(len(image)) < right, seen[image], anything)
    every = np.ones(len(image), dtype=bool)
    return VoteTable(image, np.repeat(people, EACH), chosen, every, every)


def together(*tables: VoteTable) -> VoteTable:
    columns = zip(*(vars(table).values() for table in tables), strict=True)
    return VoteTable(*(np.concatenate(column) for column in columns))


def fitted(*tables: VoteTable) -> Fitted:
    return fit(NAMELESS, together(*tables), Crowd.unmeasured(CLASSES))


def right_share(truth: Floats, true: Ints) -> float:
    return float((truth.argmax(axis=1) == true).mean())


def counted(found: Fitted, people: Ints) -> list[bool]:
    return found.crowd.skills.of(people).counts.tolist()


ATTACKS = {
    "at random": lambda true, seed: said(true, ROGUES, 0.5, 0.5, seed),
    "all yes": lambda true, seed: said(true, ROGUES, 1.0, 1.0, seed),
    "all no": lambda true, seed: said(true, ROGUES, 0.0, 0.0, seed),
    "all for the same wrong class": lambda true, seed: said(
        (true + 1) % CLASSES, ROGUES, 0.95, 0.02, seed
    ),
    "naming anything": lambda true, seed: named(true, ROGUES, 0.0, seed),
    "naming the same wrong class": lambda true, seed: named(
        (true + 1) % CLASSES, ROGUES, 0.95, seed
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("seed", range(3))
def test_one_rogue_in_five_costs_a_few_points_at_most_and_weighs_nothing(
    true, attack, seed
) -> None:
    honest = together(said(true, HONEST, 0.9, 0.03, seed), named(true, HONEST, 0.85, seed))
    alone = fitted(honest)
    attacked = fitted(honest, ATTACKS[attack](true, 50 + seed))
    assert right_share(alone.truth, true) > 0.96
    assert right_share(attacked.truth, true) > right_share(alone.truth, true) - FEW_POINTS
    assert counted(attacked, ROGUES) == [False] * len(ROGUES)
    assert counted(attacked, HONEST) == [True] * len(HONEST)


@pytest.mark.parametrize("honest_ones", [0, 2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_most_of_those_who_choose_may_lie_and_silence_nobody_who_does_not(
    true, honest_ones, seed
) -> None:
    """Whoever never chose is not judged by what those who did make of a choice."""
    choices = named(true, HONEST[:honest_ones], 0.85, seed) if honest_ones else VoteTable.empty()
    honest = together(said(true, HONEST, 0.9, 0.03, seed), choices)
    liars = named((true + 1) % CLASSES, ROGUES, 0.95, 50 + seed)
    attacked = fitted(honest, liars)
    assert counted(attacked, HONEST) == [True] * len(HONEST)
    assert counted(attacked, ROGUES) == [False] * len(ROGUES)
    assert right_share(attacked.truth, true) > right_share(fitted(honest).truth, true) - FEW_POINTS


@pytest.mark.parametrize("honest_ones", [0, 2, 4])
def test_most_of_those_who_answer_grids_may_lie_and_silence_nobody_who_does_not(
    true, honest_ones
) -> None:
    tiles = said(true, HONEST[:honest_ones], 0.9, 0.03, 5) if honest_ones else VoteTable.empty()
    honest = together(named(true, HONEST, 0.85, seed=5), tiles)
    attacked = fitted(honest, said((true + 1) % CLASSES, ROGUES, 0.95, 0.02, 55))
    assert counted(attacked, HONEST) == [True] * len(HONEST)
    assert counted(attacked, ROGUES) == [False] * len(ROGUES)
    assert right_share(attacked.truth, true) > right_share(fitted(honest).truth, true) - FEW_POINTS


@pytest.mark.parametrize("attack", ["at random", "all yes", "all no"])
def test_somebody_useless_changes_nothing_that_matters(true, attack) -> None:
    honest = said(true, HONEST, 0.9, 0.03, seed=1)
    alone, beside = fitted(honest), fitted(honest, ATTACKS[attack](true, 60))
    assert (alone.truth.argmax(axis=1) != beside.truth.argmax(axis=1)).mean() < 0.02
    assert np.abs(alone.truth - beside.truth).mean() < 0.02
    assert beside.crowd.select_rates == pytest.approx(alone.crowd.select_rates, abs=0.03)


def test_rogues_of_every_kind_at_once_are_each_found_out(true) -> None:
    rates = [(0.5, 0.5), (1.0, 1.0), (0.0, 0.0), (0.6, 0.6), (0.2, 0.9)]
    rogues = [
        said(true, ROGUES[[number]], hit, alarm, 70 + number)
        for number, (hit, alarm) in enumerate(rates)
    ]
    found = fitted(said(true, HONEST, 0.9, 0.03, seed=2), *rogues)
    assert counted(found, ROGUES) == [False] * len(ROGUES)
    assert right_share(found.truth, true) > 0.95


@pytest.mark.parametrize("swapped", [False, True], ids=["at random", "the same wrong class"])
def test_confusion_matrices_read_a_crowd_with_one_rogue_in_five(true, swapped) -> None:
    honest = named(true, HONEST, 0.7, seed=3)
    seen, right = ((true + 1) % CLASSES, 0.95) if swapped else (true, 0.0)
    votes = together(honest, named(seen, ROGUES, right, seed=4))

    def read(votes: VoteTable) -> float:
        table = LabelTable.of(votes.image, votes.annotator, votes.asked, classes=CLASSES)
        return accuracy(METHODS["dawid-skene"](table), true) or 0.0

    assert read(votes) > read(honest) - FEW_POINTS
    assert read(votes) > 0.9
