"""The arithmetic of two networks on the same images, against what a hand comes to."""

import tracemalloc
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.gate import paired
from workers.gate.paired import chance_of_losing, chance_of_rise, misfit


@pytest.mark.parametrize(
    ("lost", "won", "chance"),
    [(0, 0, 1), (1, 0, 1 / 2), (4, 0, 1 / 16), (3, 1, 5 / 16), (2, 2, 11 / 16), (0, 3, 1)],
)
def test_the_chance_of_losing_counts_the_throws_of_a_coin(
    lost: int, won: int, chance: float
) -> None:
    assert chance_of_losing(lost, won) == pytest.approx(chance)


@pytest.mark.parametrize(
    ("rises", "chance"),
    [([1, 1, 1], 1 / 8), ([2, 1], 1 / 4), ([1, -1], 3 / 4), ([-1, -1], 1), ([0, 0], 1)],
)
def test_the_chance_of_a_rise_counts_the_signs_that_come_to_as_much(
    rises: list[float], chance: float
) -> None:
    assert chance_of_rise(np.array(rises, dtype=float)) == pytest.approx(chance, abs=0.02)


def test_one_image_far_off_is_not_taken_for_a_network_that_is_worse() -> None:
    assert chance_of_rise(np.array([3.0, *[0.0] * 40])) == pytest.approx(0.5, abs=0.03)
    assert chance_of_rise(np.full(41, 3.0 / 41)) < 0.001


def test_the_same_numbers_always_get_the_same_verdict_in_any_order() -> None:
    dice = np.random.default_rng(1)
    rises = dice.normal(0.1, 1, 60)
    assert chance_of_rise(rises) == chance_of_rise(dice.permutation(rises))
    assert chance_of_rise(rises[:0]) == 1


@pytest.mark.parametrize("lost", [480, 501, 530, 560])
def test_of_many_images_the_chance_of_losing_goes_on_where_it_was(
    lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = chance_of_losing(lost, 1000 - lost)
    monkeypatch.setattr(paired, "EXACT", 999)
    assert chance_of_losing(lost, 1000 - lost) == pytest.approx(exact, abs=1e-3)


def test_images_by_the_million_are_compared_in_memory_that_there_is() -> None:
    tracemalloc.start()
    try:
        assert chance_of_rise(np.full(1_000_000, 0.2)) < 0.001
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


def test_a_misfit_is_the_log_of_what_the_label_got_with_a_little_for_every_class() -> None:
    said, labels = np.array([[0.8, 0.2], [0.0, 1.0]]), np.array([0, 0])
    assert misfit(said, labels) == pytest.approx([-log(0.95 * 0.8 + 0.025), -log(0.025)])


@given(st.floats(0, 1), st.integers(0, 1))
def test_no_image_counts_for_more_than_a_bounded_misfit(share: float, label: int) -> None:
    [found] = misfit(np.array([[share, 1 - share]]), np.array([label]))
    assert -log(0.975) - 1e-9 <= found <= log(2 / 0.05) + 1e-9
