"""The promotion gate: what may serve, what may not, and the reason in words."""

import numpy as np
import pytest

from workers.promotion import decide

LABELS = np.arange(100) % 4


def right_on(share: float) -> np.ndarray:
    """(100, 4) probabilities that are right on this share of LABELS."""
    said = np.where(np.arange(100) < share * 100, LABELS, (LABELS + 1) % 4)
    return np.eye(4)[said] * 0.9 + 0.025


def verdict(new: float, old: float | None = None, served: float | None = None):
    return decide(
        new=right_on(new),
        old=None if old is None else right_on(old),
        labels=LABELS,
        measured_on="Gold images",
        served=right_on(new if served is None else served),
    )


@pytest.mark.parametrize(
    ("new", "old", "promote", "reason"),
    [
        (0.9, None, True, "first version in service"),
        (0.3, None, False, "hardly better than guessing"),
        (0.9, 0.8, True, "right on 90.0% of 100 Gold images: 10.0 points above the version before"),
        (0.8, 0.8, True, "80.0% of 100 Gold images: as good as the version before"),
        (0.79, 0.8, True, "1.0 points below the version before"),
        (0.7, 0.8, False, "10.0 points below the version in service (10 lost, 0 won), more than 2"),
    ],
)
def test_a_version_is_promoted_unless_it_is_worse_beyond_the_margin(
    new, old, promote, reason
) -> None:
    answer = verdict(new, old)
    assert answer.promote == promote
    assert reason in answer.reason


@pytest.mark.parametrize(
    ("lost", "won", "promote"),
    [(3, 0, True), (4, 0, False), (7, 3, True), (9, 3, False), (20, 14, True), (60, 10, False)],
)
def test_a_loss_that_may_be_chance_does_not_keep_a_version_from_serving(lost, won, promote) -> None:
    old, new = right_on(1.0), right_on(1.0)
    new[:lost] = np.roll(new[:lost], 1, axis=1)
    old[lost : lost + won] = np.roll(old[lost : lost + won], 1, axis=1)
    answer = decide(new=new, old=old, labels=LABELS, measured_on="Gold images", served=new)
    assert answer.promote == promote
    assert f"({lost} lost, {won} won)" in answer.reason


def test_a_collapsed_network_is_refused_however_good_its_fold_networks_are() -> None:
    answer = verdict(0.8, 0.6, served=0.25)
    assert not answer.promote
    assert "the network to serve on 25.0%" in answer.reason


def test_probabilities_that_are_not_numbers_are_refused() -> None:
    broken = np.full((100, 4), np.nan)
    answer = decide(new=broken, old=None, labels=LABELS, measured_on="Gold images", served=broken)
    assert not answer.promote
    assert "not numbers" in answer.reason


@pytest.mark.parametrize(
    ("images", "fewest", "promote"), [(0, 1, False), (29, 30, False), (30, 30, True)]
)
def test_too_little_to_measure_on_is_a_refusal(images: int, fewest: int, *, promote: bool) -> None:
    said, labels = right_on(1.0)[:images], LABELS[:images]
    answer = decide(
        new=said, old=None, labels=labels, measured_on="images", served=said, fewest=fewest
    )
    assert answer.promote == promote
    assert promote or f"at least {fewest} are needed: wait for more votes" in answer.reason
