"""Who is looked at how often: by weight, and more often when rare."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from classifier.augment import augment
from classifier.config import Augmentation
from classifier.sampling import DrawOrder, draw_shares


def test_twice_the_weight_is_drawn_twice_as_often() -> None:
    shares = draw_shares(np.array([[1.0, 0], [1, 0], [0, 1]]), np.array([1.0, 2.0, 0.0]))
    assert np.allclose(shares, [1 / 3, 2 / 3, 0])


def test_a_rare_class_is_drawn_more_often_than_its_share_but_not_as_often_as_the_rest() -> None:
    targets = np.eye(2)[[0] * 90 + [1] * 10]
    rare = draw_shares(targets, np.ones(100))[90:].sum()
    assert 0.2 < rare < 0.3


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=30), st.integers(0, 99))
def test_every_stretch_draws_each_image_its_share_of_times(weights: list[float], seed: int) -> None:
    shares = np.array(weights) / np.sum(weights)
    count = len(weights)
    order = DrawOrder(shares, np.random.default_rng(seed)).take(0, 3 * count)
    for stretch in order.reshape(3, count):
        times = np.bincount(stretch, minlength=count)
        assert (np.abs(times - count * shares) <= 1 + 1e-6).all()


def test_equal_shares_see_every_image_once_an_epoch() -> None:
    order = DrawOrder(np.full(10, 0.1), np.random.default_rng(0)).take(0, 30).reshape(3, 10)
    assert all(sorted(epoch.tolist()) == list(range(10)) for epoch in order)


@given(st.integers(1, 12), st.integers(1, 30), st.integers(0, 20))
def test_the_order_is_the_same_in_batches_and_after_a_kill(
    count: int, batch: int, killed_at: int
) -> None:
    def fresh() -> DrawOrder:
        return DrawOrder(np.full(count, 1 / count), np.random.default_rng(0))

    whole, going, again = fresh().take(0, 25 * batch), fresh(), fresh()
    for step in range(25):
        here = slice(step * batch, (step + 1) * batch)
        assert (going.take(here.start, here.stop) == whole[here]).all()
        if step >= killed_at:
            assert (again.take(here.start, here.stop) == whole[here]).all()


def test_augmentation_switched_off_changes_nothing() -> None:
    still = Augmentation(shift=0, rotate=0, scale=0, brightness=0, contrast=0, noise=0, colour=0)
    images = torch.randint(0, 256, (4, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    assert torch.allclose(augment(images, still, torch.Generator()), images.float(), atol=1e-3)


def test_augmentation_changes_every_image_its_own_way_and_repeatably() -> None:
    image = torch.randint(0, 256, (1, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    images = image.expand(8, 3, 16, 16)
    everything = Augmentation(flip=True, cutout=4, invert=True)
    first, again = (augment(images, everything, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert first.shape == images.shape
    assert torch.isfinite(first).all()
    assert len({tuple(one.flatten().tolist()) for one in first}) == 8
