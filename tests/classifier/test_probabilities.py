"""Probabilities, how unsure they are, and whether they mean what they say."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from classifier.calibration import (
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
)
from classifier.evaluation import evaluate
from classifier.model import build
from classifier.predict import logits, probabilities
from classifier.uncertainty import entropy, least_confidence, margin
from tests.classifier.pictures import bars, small_config

LOGITS = arrays(np.float32, (5, 4), elements=st.floats(-80, 80, width=32))


@given(LOGITS, st.floats(0.05, 20))
def test_temperature_never_changes_the_favourite(spoken: np.ndarray, temperature: float) -> None:
    shares = probabilities(spoken, temperature)
    favourite = shares[np.arange(5), spoken.argmax(axis=1)]
    assert (favourite == shares.max(axis=1)).all()
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("measure", [entropy, margin, least_confidence])
def test_a_level_row_is_the_least_sure_and_a_certain_one_the_surest(
    measure: Callable[[np.ndarray], np.ndarray],
) -> None:
    rows = np.array([[1.0, 0, 0], [0.6, 0.3, 0.1], [1 / 3, 1 / 3, 1 / 3]])
    assert np.all(np.diff(measure(rows)) > 0)
    assert measure(rows)[0] == 0


def test_entropy_of_a_coin_is_log_two() -> None:
    assert entropy(np.array([[0.5, 0.5, 0.0]]))[0] == pytest.approx(np.log(2))


def test_the_size_of_a_batch_does_not_change_the_answer() -> None:
    network = build(small_config())
    images, _ = bars(10)
    whole = logits(network, images, device="cpu")
    assert whole.dtype == np.float32
    assert np.allclose(whole, logits(network, images, batch_size=3, device="cpu"), atol=1e-5)
    assert logits(network, images[:0], device="cpu").shape == (0, 3)
    with pytest.raises(ValueError, match="uint8"):
        logits(network, images[0])


def test_an_impossible_temperature_or_logit_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature"):
        probabilities(np.zeros((1, 2)), 0)
    with pytest.raises(ValueError, match="NaN"):
        probabilities(np.array([[np.nan, 0]]))


def test_an_overconfident_network_is_cooled_down() -> None:
    random = np.random.default_rng(0)
    true = random.normal(0, 2, (4000, 5))
    sums = probabilities(true).cumsum(axis=1)
    labels = (random.random((4000, 1)) * sums[:, -1:] > sums).sum(axis=1)
    targets, weights = np.eye(5)[labels], np.ones(4000)
    assert fit_temperature(true * 3, targets, weights) == pytest.approx(3, rel=0.1)
    assert fit_temperature(true / 3, targets, weights) == pytest.approx(1 / 3, rel=0.1)
    assert fit_temperature(true * 3, targets, weights * 0.01) == pytest.approx(3, rel=0.1)


def test_no_rows_leave_the_temperature_alone_and_few_move_it_little() -> None:
    spoken, targets = np.array([[5.0, 0]] * 3), np.array([[1.0, 0]] * 3)
    assert fit_temperature(spoken[:0], targets[:0], np.ones(0)) == 1
    assert fit_temperature(spoken, targets, np.zeros(3)) == 1
    assert 0.8 < fit_temperature(spoken, targets, np.ones(3)) <= 1.01


@given(LOGITS, st.lists(st.integers(0, 3), min_size=5, max_size=5))
def test_the_temperature_stays_within_its_bounds(spoken: np.ndarray, labels: list[int]) -> None:
    assert 0.05 <= fit_temperature(spoken, np.eye(4)[labels], np.ones(5)) <= 20


def test_calibration_refuses_what_it_cannot_measure() -> None:
    with pytest.raises(ValueError, match="NaN"):
        fit_temperature(np.array([[np.nan, 0]]), np.array([[1.0, 0]]), np.ones(1))
    with pytest.raises(ValueError, match="shapes"):
        fit_temperature(np.zeros((2, 2)), np.zeros((3, 2)), np.ones(2))
    with pytest.raises(ValueError, match="no rows"):
        negative_log_likelihood(np.zeros((0, 2)), np.zeros(0, dtype=int))


def test_calibration_error_is_the_gap_between_said_and_found() -> None:
    said = np.array([[0.8, 0.2]] * 10)
    assert expected_calibration_error(said, np.array([0] * 8 + [1] * 2)) == pytest.approx(0)
    assert expected_calibration_error(said, np.array([0] * 5 + [1] * 5)) == pytest.approx(0.3)
    assert expected_calibration_error(np.eye(2), np.array([0, 1])) == 0


def test_an_evaluation_counts_per_class_and_leaves_the_undefined_empty() -> None:
    said = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1]])
    report = evaluate(said, np.array([0, 1, 1]))
    assert report.accuracy == pytest.approx(2 / 3)
    assert report.confusion == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert report.per_class[0].precision == 0.5
    assert report.per_class[1].recall == 0.5
    assert report.per_class[2].precision is None
    assert report.per_class[2].recall is None
    assert [score.support for score in report.per_class.values()] == [1, 2, 0]
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False)) == report.to_dict()


def test_an_evaluation_of_nothing_has_no_scores() -> None:
    report = evaluate(np.zeros((0, 2)), np.zeros(0, dtype=int))
    assert (report.images, report.accuracy, report.nll, report.ece) == (0, None, None, None)


def test_an_evaluation_refuses_labels_and_numbers_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="labels must lie"):
        evaluate(np.array([[0.5, 0.5]]), np.array([2]))
    with pytest.raises(ValueError, match="NaN"):
        evaluate(np.array([[np.nan, 0.5]]), np.array([1]))
