"""How unsure a row is, and how much an ensemble disagrees: what holds of all rows."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from classifier.batches import disagreement
from classifier.predict import probabilities
from classifier.uncertainty import entropy, least_confidence, margin

MEASURES = [entropy, margin, least_confidence]
Measure = Callable[[np.ndarray], np.ndarray]
ROUNDING = 1e-5  # of single precision


@st.composite
def spoken(draw: st.DrawFn, *, classes: tuple[int, int] = (2, 7), members: int = 0) -> np.ndarray:
    """Logits (5, K), or of some members (m, 5, K), from level to all but certain."""
    count = draw(st.integers(*classes))
    shape = (draw(st.integers(1, members)), 5, count) if members else (5, count)
    return draw(arrays(np.float32, shape, elements=st.floats(-60, 60, width=32)))


@given(spoken())
def test_every_measure_stays_within_its_bounds_for_any_number_of_classes(z: np.ndarray) -> None:
    p, classes = probabilities(z), z.shape[1]
    for measure, most in ((entropy, np.log(classes)), (margin, 1), (least_confidence, 1)):
        assert (measure(p) >= 0).all()
        assert (measure(p) <= most + ROUNDING).all()
    assert (least_confidence(p) <= 1 - 1 / classes + ROUNDING).all()
    assert (margin(p) >= least_confidence(p) - ROUNDING).all()  # the second takes at most the rest


@pytest.mark.parametrize("measure", MEASURES)
@given(z=spoken(), seed=st.integers(0, 1000))
def test_no_measure_asks_which_class_is_which(measure: Measure, z: np.ndarray, seed: int) -> None:
    p = probabilities(z)
    order = np.random.default_rng(seed).permutation(z.shape[1])
    assert measure(p[:, order]) == pytest.approx(measure(p), abs=1e-9)


@given(spoken(classes=(2, 2)))
def test_between_two_classes_all_measures_say_the_same(z: np.ndarray) -> None:
    p = probabilities(z).astype(np.float64)
    p /= p.sum(axis=1, keepdims=True)
    assert margin(p) == pytest.approx(2 * least_confidence(p), abs=1e-9)
    order = np.argsort(least_confidence(p), kind="stable")
    assert (np.diff(entropy(p)[order]) >= -1e-12).all()


@given(spoken(), st.floats(0.1, 10), st.floats(0.1, 10))
def test_a_higher_temperature_is_never_surer_and_keeps_the_favourite(
    z: np.ndarray, one: float, other: float
) -> None:
    cold, hot = (probabilities(z, temperature) for temperature in sorted((one, other)))
    for measure in MEASURES:
        assert (measure(hot) >= measure(cold) - ROUNDING).all()
    rows, favourite = np.arange(5), z.argmax(axis=1)
    assert (hot[rows, favourite] == hot.max(axis=1)).all()
    assert (cold[rows, favourite] == cold.max(axis=1)).all()


@given(spoken(members=4))
def test_disagreement_is_never_more_than_all_that_is_unknown(z: np.ndarray) -> None:
    members = probabilities(z)
    told = disagreement(members)
    assert (told >= 0).all()
    assert (told <= np.log(z.shape[2]) + ROUNDING).all()
    assert (told <= np.log(len(z)) + ROUNDING).all()  # which member speaks tells no more than that
    assert (told <= entropy(members.mean(axis=0)) + ROUNDING).all()


@given(spoken(), st.integers(1, 6))
def test_equal_members_do_not_disagree(z: np.ndarray, count: int) -> None:
    members = np.repeat(probabilities(z)[None], count, axis=0)
    assert disagreement(members) == pytest.approx(np.zeros(5), abs=ROUNDING)


@given(spoken(members=4), st.integers(0, 1000))
def test_neither_the_order_of_members_nor_that_of_classes_matters(z: np.ndarray, seed: int) -> None:
    members, rng = probabilities(z), np.random.default_rng(seed)
    shuffled = members[rng.permutation(len(z))][:, :, rng.permutation(z.shape[2])]
    assert disagreement(shuffled) == pytest.approx(disagreement(members), abs=1e-6)
