"""Ensembles that disagree, and batches that are not all alike."""

import numpy as np
import pytest

from classifier.batches import disagreement, diverse_batch


def test_members_that_are_equally_unsure_do_not_disagree() -> None:
    unsure = np.full((3, 1, 4), 0.25)
    assert disagreement(unsure) == pytest.approx([0.0])


def test_members_that_are_sure_of_different_classes_disagree_by_log_of_their_number() -> None:
    sure = np.eye(3)[:, None, :]  # three members, one image, each of another class
    assert disagreement(sure) == pytest.approx([np.log(3)])


def test_copies_of_one_picture_are_not_picked_before_all_others() -> None:
    rng = np.random.default_rng(0)
    others = rng.normal(size=(20, 8))
    copies = np.repeat(rng.normal(size=(1, 8)), 50, axis=0)
    described = np.concatenate([copies, others])
    worth = np.r_[np.full(50, 1.0), np.full(20, 0.5)]
    picked = diverse_batch(described, worth, 21, seed=0)
    assert (picked < 50).sum() == 1
    assert len(set(picked.tolist())) == 21


def test_what_is_worth_nothing_comes_last_and_no_more_come_than_there_are() -> None:
    described = np.arange(12.0).reshape(6, 2) ** 2
    worth = np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    picked = diverse_batch(described, worth, 10, seed=0)
    assert sorted(picked.tolist()) == list(range(6))
    assert set(picked[:3].tolist()) == {1, 3, 4}


def test_long_descriptions_give_the_same_batch_for_the_same_seed() -> None:
    described = np.random.default_rng(1).normal(size=(200, 500))
    worth = np.random.default_rng(2).random(200)
    first = diverse_batch(described, worth, 30, seed=5)
    assert (diverse_batch(described, worth, 30, seed=5) == first).all()
