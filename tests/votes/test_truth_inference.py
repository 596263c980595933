"""Truth from plain labels: what holds for any answers, and who is believed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelhub.votes.truth_inference import METHODS, LabelTable, accuracy, dawid_skene, grid

CLASSES = 3
ADA, CARLA, OSKAR = 0, 1, 2
LABELS = ["dawid-skene", "one-coin", "majority"]
answers = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 4), st.integers(0, CLASSES - 1)),
    min_size=1,
    max_size=60,
)


def table(said: list[tuple[int, int, int]]) -> LabelTable:
    item, annotator, label = (np.array(column) for column in zip(*said, strict=True))
    return LabelTable.of(item, annotator, label, classes=CLASSES)


@pytest.mark.parametrize("method", LABELS)
@settings(max_examples=40, deadline=None)
@given(said=answers)
def test_every_item_gets_a_distribution(method, said) -> None:
    p = METHODS[method](table(said))
    assert np.isfinite(p).all()
    assert p.sum(axis=1) == pytest.approx(np.ones(len(p)))


@pytest.mark.parametrize("method", LABELS)
@settings(max_examples=40, deadline=None)
@given(said=answers, names=st.permutations(range(CLASSES)), random=st.randoms())
def test_neither_the_order_of_answers_nor_the_names_of_classes_matter(
    method, said, names, random
) -> None:
    renamed = [(item, annotator, names[label]) for item, annotator, label in said]
    random.shuffle(renamed)
    plain, other = METHODS[method](table(said)), METHODS[method](table(renamed))
    assert other[:, list(names)] == pytest.approx(plain, abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(said=answers, random=st.randoms())
def test_the_order_of_answers_does_not_matter_to_a_grid(said, random) -> None:
    shuffled = list(said)
    random.shuffle(shuffled)
    p = grid(table(said))
    assert np.isfinite(p).all()
    assert p.sum(axis=1) == pytest.approx(np.ones(len(p)))
    assert grid(table(shuffled)) == pytest.approx(p, abs=1e-4)


@pytest.mark.parametrize("method", LABELS)
def test_an_item_that_nobody_answered_gets_no_more_than_the_shares(method) -> None:
    said = [(0, ADA, 1), (0, CARLA, 1), (2, ADA, 1), (2, CARLA, 0)]  # item 1 is left out
    p = METHODS[method](table(said))
    assert p[1].argmax() == 1
    assert p[1].max() < 1


@pytest.mark.parametrize("method", LABELS)
def test_five_hundred_answers_on_one_item_give_numbers(method) -> None:
    said = [(0, person, person % 2) for person in range(500)] + [(1, 0, 2)]
    p = METHODS[method](table(said))
    assert np.isfinite(p).all()


def crowd(rates: list[np.ndarray], items: int = 400) -> tuple[LabelTable, np.ndarray]:
    """Everybody answers every item by an own (K true, K label) matrix."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, CLASSES, items)
    said = [
        (item, person, int(rng.choice(CLASSES, p=matrix[truth[item]])))
        for person, matrix in enumerate(rates)
        for item in range(items)
    ]
    return table(said), truth


def test_dawid_skene_believes_one_careful_ada_against_two_who_guess() -> None:
    careful = np.full((CLASSES, CLASSES), 0.02) + 0.94 * np.eye(CLASSES)
    guess = np.full((CLASSES, CLASSES), 1 / CLASSES)
    fair = np.full((CLASSES, CLASSES), 0.15) + 0.55 * np.eye(CLASSES)
    told, truth = crowd([careful, guess, guess, fair, fair])
    of_majority = accuracy(METHODS["majority"](told), truth)
    of_matrices = accuracy(dawid_skene(told), truth)
    assert of_matrices > 0.92 > of_majority + 0.05


def test_dawid_skene_reads_an_annotator_who_always_swaps_two_classes() -> None:
    careful = np.full((CLASSES, CLASSES), 0.05) + 0.85 * np.eye(CLASSES)
    swaps = careful[:, [1, 0, 2]]
    told, truth = crowd([careful, careful, careful, swaps])
    alone, _ = crowd([careful, careful, careful])
    assert accuracy(dawid_skene(told), truth) > accuracy(dawid_skene(alone), truth)


def test_grid_reads_a_cautious_crowd_better_than_a_majority_does() -> None:
    rng = np.random.default_rng(1)
    truth = (rng.random(600) < 0.3).astype(np.int64)
    item = np.repeat(np.arange(600), 5)
    who = rng.integers(0, 30, len(item))
    rate = np.where(truth[item] == 1, 0.5, 0.02)  # half of what is there is overlooked
    label = (rng.random(len(item)) < rate).astype(np.int64)
    told = LabelTable.of(item, who, label, classes=2)
    assert accuracy(grid(told), truth) > accuracy(METHODS["majority"](told), truth) + 0.05


def test_a_maybe_speaks_for_a_yes_where_maybes_are_said_of_what_is_there() -> None:
    rng = np.random.default_rng(2)
    truth = (rng.random(600) < 0.3).astype(np.int64)
    item = np.repeat(np.arange(600), 4)
    who = rng.integers(0, 20, len(item))
    there = truth[item] == 1
    dice = rng.random(len(item))
    label = np.where(
        there, np.select([dice < 0.5, dice < 0.85], [2, 1], 0), np.select([dice < 0.02], [2], 0)
    )
    three = LabelTable.of(item, who, label, classes=3)
    two = LabelTable.of(item, who, (label == 2).astype(np.int64), classes=2)
    assert accuracy(grid(three), truth) > accuracy(grid(two), truth)


def test_ties_count_in_parts_and_items_without_truth_not_at_all() -> None:
    p = np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    assert accuracy(p, np.array([0, 1, -1])) == pytest.approx(0.75)
    assert accuracy(p, np.full(3, -1)) is None
