"""What an evaluation tells beyond the accuracy: is it to be trusted, and what does it confuse?"""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.calibration import reliability, uncalibrated
from classifier.evaluation import evaluate, wilson_interval
from classifier.predict import probabilities

SAID = np.array([[0.8, 0.2]] * 10)
LABELS = np.array([0] * 8 + [1] * 2)


def test_the_calibration_error_is_told_before_and_after_the_temperature() -> None:
    report = evaluate(SAID, LABELS, uncalibrated=np.array([[0.95, 0.05]] * 10))
    assert report.ece == pytest.approx(0)
    assert report.ece_before == pytest.approx(0.15)
    assert report.nll_before == pytest.approx(-0.8 * np.log(0.95) - 0.2 * np.log(0.05))
    assert report.nll < report.nll_before
    plain = evaluate(SAID, LABELS)
    assert (plain.ece_before, plain.nll_before) == (None, None)


@given(st.floats(0.2, 5))
def test_what_was_said_before_the_temperature_is_found_again(temperature: float) -> None:
    logits = np.array([[2.0, 0.5, -1.0], [0.0, 0.0, 3.0]])
    said = probabilities(logits, temperature)
    assert uncalibrated(said, temperature) == pytest.approx(probabilities(logits), abs=1e-4)


def test_a_gap_of_two_logits_is_found_again_behind_a_temperature_near_nothing() -> None:
    logits = np.array([[2.0, 0.0]])
    said = probabilities(logits, 0.05).astype(np.float32)  # the other gets e to the minus 40
    assert uncalibrated(said, 0.05) == pytest.approx(probabilities(logits), abs=1e-4)


def test_a_probability_of_nothing_has_a_word_before_the_temperature_too() -> None:
    assert np.isfinite(uncalibrated(np.array([[1.0, 0.0]]), 3.0)).all()
    with pytest.raises(ValueError, match="temperature"):
        uncalibrated(SAID, 0.0)


def test_a_reliability_diagram_leaves_out_what_nobody_is_that_sure_of() -> None:
    said = np.array([[0.81, 0.19], [0.85, 0.15], [0.55, 0.45], [1.0, 0.0]])
    low, middle, top = reliability(said, np.array([0, 1, 0, 0]))
    assert (low.confidence, low.accuracy, low.count) == (0.55, 1.0, 1)
    assert (middle.confidence, middle.accuracy, middle.count) == (pytest.approx(0.83), 0.5, 2)
    assert (top.confidence, top.accuracy, top.count) == (1.0, 1.0, 1)
    with pytest.raises(ValueError, match="no rows"):
        reliability(said[:0], np.zeros(0, dtype=int))


def test_the_bins_of_an_evaluation_come_to_its_error_and_its_accuracy() -> None:
    random = np.random.default_rng(0)
    said, labels = random.dirichlet(np.ones(3), 200), random.integers(0, 3, 200)
    report = evaluate(said, labels)
    bins = report.reliability
    assert sum(one.count for one in bins) == 200
    assert sum(one.accuracy * one.count for one in bins) / 200 == pytest.approx(report.accuracy)
    gaps = sum(abs(one.accuracy - one.confidence) * one.count for one in bins) / 200
    assert gaps == pytest.approx(report.ece)


def test_confusions_come_most_frequent_first_with_the_images_it_was_surest_of() -> None:
    sure_of_1 = [0.6, 0.9, 0.7, 0.8]
    said = np.array([[1 - p, p, 0.0] for p in sure_of_1] + [[0.1, 0.2, 0.7], [0.9, 0.1, 0.0]])
    labels = np.array([0, 0, 0, 0, 1, 0])
    first, second = evaluate(said, labels, ids=np.array([10, 11, 12, 13, 14, 15])).confusions
    assert (first.true, first.called, first.count, first.examples) == (0, 1, 4, [11, 13, 12])
    assert (second.true, second.called, second.count, second.examples) == (1, 2, 1, [14])
    assert evaluate(said, labels).confusions[0].examples == [1, 3, 2], "rows, without ids"
    assert evaluate(SAID[:8], LABELS[:8]).confusions == []


def test_at_most_five_confusions_are_told() -> None:
    labels = np.arange(8)
    assert len(evaluate(np.roll(np.eye(8), 1, axis=1), labels).confusions) == 5


@pytest.mark.parametrize(
    ("share", "count", "low", "high"),
    [(0.8, 10, 0.4901, 0.9433), (0.0, 5, 0.0, 0.4345), (1.0, 5, 0.5655, 1.0)],
)
def test_the_interval_around_an_accuracy_is_wilsons(
    share: float, count: int, low: float, high: float
) -> None:
    assert wilson_interval(share, count) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 500), st.data())
def test_the_interval_holds_the_accuracy_itself(count: int, data: st.DataObject) -> None:
    share = data.draw(st.integers(0, count)) / count
    low, high = wilson_interval(share, count)
    assert 0 <= low <= share <= high <= 1


def test_there_is_no_interval_around_a_share_of_nothing() -> None:
    for share, count in ((0.5, 0), (1.2, 10)):
        with pytest.raises(ValueError, match="no share"):
            wilson_interval(share, count)


def test_all_that_is_told_survives_json() -> None:
    report = evaluate(SAID, LABELS, uncalibrated=SAID, ids=np.arange(10, dtype=np.int64)).to_dict()
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["interval"] == pytest.approx([0.4901, 0.9433], abs=1e-4)
    assert report["confusions"] == [{"true": 1, "called": 0, "count": 2, "examples": [8, 9]}]
    [only] = report["reliability"]
    assert only == {"confidence": pytest.approx(0.8), "accuracy": 0.8, "count": 10}


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        ({"uncalibrated": SAID[:3]}, "shapes"),
        ({"uncalibrated": SAID * np.nan}, "NaN"),
        ({"ids": np.arange(3)}, "10,"),
    ],
)
def test_what_does_not_belong_to_the_images_is_refused(
    what: dict[str, np.ndarray], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        evaluate(SAID, LABELS, **what)
