"""Is a version worse than the one in service? What fits no worse serves, what is worse does not."""

from math import log

import numpy as np
import pytest

from tests.workers.gate.given import LABELS, TAUGHT, judged, sound, sure


def lost(count: int) -> np.ndarray:
    """Sure of everything, and wrong on so many of the hundred."""
    said = sure(0.9)
    said[:count] = np.roll(said[:count], 1, axis=1)
    return said


@pytest.mark.parametrize("old", [0.5, 0.7, 0.9])
def test_a_version_as_good_or_surer_of_what_is_right_serves(old: float) -> None:
    answer = judged(sure(0.9), sure(old), opinions=sound())
    assert answer.promote
    assert answer.reason.endswith(": as good as the version before")


@pytest.mark.parametrize(("count", "promote"), [(2, True), (3, True), (4, False)])
def test_right_on_fewer_images_beyond_margin_and_chance_is_refused(
    count: int, *, promote: bool
) -> None:
    answer = judged(lost(count), sure(0.9))
    assert answer.promote == promote
    assert answer.figures["accuracy_before"] == 1
    assert promote or "4.0 points below the version in service (4 lost, 0 won)" in answer.reason


def test_as_often_right_and_much_less_sure_is_refused() -> None:
    answer = judged(sure(0.45), sure(0.9))
    assert not answer.promote
    assert answer.reason == (
        "right on 100.0% of 100 Gold images, but its probabilities fit the labels of 100 Gold "
        "images, worse than those of the version in service, by 0.68 nats an image: more than 0.1 "
        "and than chance"
    )
    assert answer.figures["misfit_rise"] == pytest.approx(log(0.8675 / 0.44))


def test_a_little_less_sure_serves() -> None:
    assert judged(sure(0.83), sure(0.9)).promote


def test_fewer_than_thirty_images_tell_nothing_of_how_sure_it_should_be() -> None:
    few = LABELS[:29]
    assert judged(sure(0.45, few), sure(0.9, few), labels=few).promote
    more = LABELS[:30]
    assert not judged(sure(0.45, more), sure(0.9, more), labels=more).promote


def test_what_both_learned_is_compared_by_networks_that_were_not_taught_it() -> None:
    doubting = sound(by_fold=np.stack([sure(0.45, TAUGHT)] * 3), served=sure(0.45, TAUGHT))
    answer = judged(sure(0.9), sure(0.9), opinions=doubting)
    assert not answer.promote
    assert "the labels of 60 images that both learned, cross-validated, worse than" in answer.reason


def test_images_that_the_version_in_service_cannot_fairly_speak_of_do_not_count() -> None:
    before = sure(0.99, TAUGHT)
    before[:31] = np.nan  # 29 are left
    doubting = {"by_fold": np.stack([sure(0.45, TAUGHT)] * 3), "served": sure(0.45, TAUGHT)}
    assert judged(sure(0.9), sure(0.9), opinions=sound(**doubting, before=before)).promote
    before[30] = before[31]
    assert not judged(sure(0.9), sure(0.9), opinions=sound(**doubting, before=before)).promote


def test_what_was_learned_since_weighs_more_than_being_less_sure_of_what_both_learned() -> None:
    """The version in service knows three classes and is sure of them; the new one knows all."""
    doubting = sound(by_fold=np.stack([sure(0.45, TAUGHT)] * 3), served=sure(0.45, TAUGHT))
    assert judged(sure(0.9), lost(4), opinions=doubting).promote
    assert not judged(sure(0.9), lost(3), opinions=doubting).promote  # may be chance


def test_the_verdict_does_not_depend_on_the_order_of_the_images() -> None:
    order = np.random.default_rng(0).permutation(100)
    one = judged(lost(4), sure(0.9))
    other = judged(lost(4)[order], sure(0.9)[order], labels=LABELS[order])
    assert (one.promote, one.reason) == (other.promote, other.reason)
