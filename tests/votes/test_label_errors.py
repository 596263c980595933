"""Labels that networks doubt which did not learn them: confident learning, on numbers alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelhub.votes.label_errors import Found, doubts, thresholds


def planted(
    *, count: int = 3000, classes: int = 5, share: float = 0.05, confused: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities of a fair network, labels of which a share are wrong, and which these are.

    Neighbouring classes look alike. Wrong labels are any class, or where people are ``confused``
    what the picture looks like most.
    """
    rng = np.random.default_rng(0)
    truth = rng.integers(classes, size=count)
    apart = np.abs(np.arange(classes) - truth[:, None])
    logits = 3.0 * np.exp(-(apart**2) / 1.5) * 2 + rng.normal(0, 1.0, (count, classes))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    others = p.copy()
    others[np.arange(count), truth] = -1
    likest = others.argmax(axis=1)
    wrong = rng.random(count) < share
    away = likest if confused else (truth + rng.integers(1, classes, count)) % classes
    return p, np.where(wrong, away, truth), wrong


def margin_order(p: np.ndarray, labels: np.ndarray) -> np.ndarray:
    rows = np.arange(len(p))
    others = p.copy()
    others[rows, labels] = -1
    return np.argsort(p[rows, labels] - others.max(axis=1), kind="stable")


def test_a_threshold_is_the_mean_self_confidence_of_its_class() -> None:
    own, labels = np.array([0.9, 0.7, 0.2]), np.array([0, 0, 2])
    assert thresholds(own, labels, 4).tolist() == [0.8, np.inf, 0.2, np.inf]


def test_a_label_is_suspected_where_another_class_is_confident() -> None:
    """Class 0 is known well (threshold 0.8), class 1 poorly (0.5)."""
    p = np.array([[0.8, 0.2], [0.8, 0.2], [0.5, 0.5], [0.5, 0.5], [0.79, 0.21], [0.81, 0.19]])
    labels = np.array([0, 0, 1, 1, 1, 1])
    found = doubts(p, labels)
    t = thresholds(p[np.arange(6), labels], labels, 2)
    assert t == pytest.approx([0.8, 0.35])
    assert found.suspected.tolist() == [False, False, False, False, False, True]
    assert found.likely.tolist() == [1, 1, 0, 0, 0, 0]
    assert found.order[:2].tolist() == [5, 4]
    assert found.worst.tolist() == [5]
    half = np.log(2)
    assert found.doubt[2] == pytest.approx(half / (half + 0.2))


@pytest.mark.parametrize("confused", [False, True])
def test_wrong_labels_are_found_before_right_ones(*, confused: bool) -> None:
    p, labels, wrong = planted(confused=confused)
    found = doubts(p, labels)
    score = Found.of(found.order, wrong)
    assert score.precision > 0.6
    assert score.auroc > 0.95
    assert wrong[found.worst[: len(found.worst) // 2]].mean() > 0.75
    assert len(found.worst) == pytest.approx(wrong.sum(), rel=0.7)


def test_the_order_finds_more_than_the_margin_where_labels_are_wrong_at_random() -> None:
    p, labels, wrong = planted()
    ours, margin = (
        Found.of(order, wrong) for order in (doubts(p, labels).order, margin_order(p, labels))
    )
    assert ours.average_precision > margin.average_precision


def test_the_order_finds_more_than_plain_confidence_where_people_are_confused() -> None:
    p, labels, wrong = planted(confused=True)
    plain = np.argsort(p[np.arange(len(p)), labels], kind="stable")
    ours = Found.of(doubts(p, labels).order, wrong)
    assert ours.average_precision > Found.of(plain, wrong).average_precision


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 60))
def test_doubt_never_depends_on_what_classes_are_called(seed: int, classes: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(classes), n)
    labels = rng.integers(classes, size=n)
    turned = rng.permutation(classes)
    found, again = doubts(p, labels), doubts(p[:, np.argsort(turned)], turned[labels])
    assert (found.suspected == again.suspected).all()
    assert found.doubt == pytest.approx(again.doubt)
    assert (turned[found.likely] == again.likely).all()
    assert (found.likely != labels).all()
    assert sorted(found.order) == list(range(n))


def test_a_class_without_labels_is_nobodys_suspicion() -> None:
    p = np.array([[0.2, 0.0, 0.8], [0.2, 0.0, 0.8], [0.0, 0.2, 0.8], [0.0, 0.2, 0.8]])
    found = doubts(p, np.array([0, 0, 1, 1]))
    assert not found.suspected.any()
    assert found.likely.tolist() == [2, 2, 2, 2]


def test_a_label_that_is_held_impossible_is_doubted_without_end_of_the_numbers() -> None:
    found = doubts(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 0]))
    assert np.isfinite(found.doubt).all()
    assert found.order.tolist() == [0, 1]


def test_without_labels_there_is_nothing_to_doubt() -> None:
    assert len(doubts(np.zeros((0, 3)), np.zeros(0, dtype=np.int64)).order) == 0


@pytest.mark.parametrize(
    ("p", "labels"),
    [
        (np.ones((2, 1)), np.array([0, 0])),
        (np.ones(3), np.array([0, 0, 0])),
        (np.full((2, 2), 0.5), np.array([0, 2])),
        (np.full((2, 2), 0.5), np.array([0, -1])),
        (np.full((2, 2), 0.5), np.array([0])),
        (np.array([[np.nan, 1.0]]), np.array([0])),
    ],
)
def test_arrays_that_do_not_fit_are_refused(p: np.ndarray, labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"must be|NaN"):
        doubts(p, labels)


def test_scores_of_an_order_are_what_their_names_say() -> None:
    wrong = np.array([True, False, True, False])
    best = Found.of(np.array([0, 2, 1, 3]), wrong)
    assert (best.precision, best.auroc, best.average_precision) == (1.0, 1.0, 1.0)
    worst = Found.of(np.array([1, 3, 0, 2]), wrong)
    assert (worst.precision, worst.auroc) == (0.0, 0.0)
    assert worst.average_precision == pytest.approx((1 / 3 + 2 / 4) / 2)
    mixed = Found.of(np.array([0, 1, 2, 3]), wrong)
    assert (mixed.precision, mixed.auroc) == (0.5, 0.75)
    for none in (np.zeros(4, bool), np.ones(4, bool)):
        with pytest.raises(ValueError, match="nothing to tell apart"):
            Found.of(np.arange(4), none)
