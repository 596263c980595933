"""Training: the same in, the same out; broken data is refused; an interruption costs nothing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from classifier.config import Augmentation
from classifier.model import RECIPES, build
from classifier.predict import logits
from classifier.train import NonFiniteLoss, Progress, train
from tests.classifier.pictures import bars, certain, small_config
from tests.classifier.trainings import same_weights, ticking

IMAGES, LABELS = bars(48)
TARGETS, WEIGHTS = certain(LABELS), np.ones(48)


def right_share(network: nn.Module) -> float:
    fresh, labels = bars(90, seed=1)
    return float((logits(network, fresh, device="cpu").argmax(axis=1) == labels).mean())


def test_a_network_takes_bytes_or_floats_and_gives_logits_per_class() -> None:
    network = build(small_config(image_size=32, channels=1, classes=7))
    pixels = torch.full((4, 1, 32, 32), 200, dtype=torch.uint8)
    assert network(pixels).shape == (4, 7)
    assert torch.equal(network(pixels), network(pixels.float()))


def test_building_leaves_the_random_state_of_the_process_alone() -> None:
    before = torch.get_rng_state()
    first, second = build(small_config(seed=1)), build(small_config(seed=2))
    assert torch.equal(before, torch.get_rng_state())
    assert not same_weights(first, second)


def test_an_unknown_recipe_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'alchemy' is unknown.*seed"):
        build(small_config(recipe="alchemy"))


def test_a_short_training_tells_bars_from_blots() -> None:
    network = train(small_config(steps=80), IMAGES, TARGETS, WEIGHTS)
    assert right_share(network) > 0.9


def test_the_same_seed_gives_the_same_network_and_another_seed_another() -> None:
    config = small_config(steps=6, augmentation=Augmentation.outline())
    first, again = (train(config, IMAGES, TARGETS, WEIGHTS) for _ in range(2))
    other = train(small_config(steps=6, seed=1), IMAGES, TARGETS, WEIGHTS)
    assert same_weights(first, again)
    assert not same_weights(first, other)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"images": IMAGES[:0], "targets": TARGETS[:0], "weights": WEIGHTS[:0]}, "none"),
        ({"images": IMAGES.astype(np.float32)}, "uint8"),
        ({"images": IMAGES[:, :8]}, "images must have the shape"),
        ({"targets": TARGETS[:, :2]}, "targets must have the shape"),
        ({"targets": TARGETS[:5]}, "targets must have the shape"),
        ({"weights": WEIGHTS[:5]}, "weights must have the shape"),
        ({"targets": np.where(TARGETS > 0, np.nan, TARGETS)}, "targets hold NaN"),
        ({"targets": TARGETS * 2}, "row's sum"),
        ({"targets": TARGETS * 3 - 2 / 3}, "targets hold negative"),
        ({"weights": WEIGHTS * 0}, "all zero"),
        ({"weights": -WEIGHTS}, "negative"),
        ({"weights": WEIGHTS * np.inf}, "infinity"),
    ],
)
def test_data_that_teaches_nothing_is_refused(changes: dict[str, Any], complaint: str) -> None:
    data = {"images": IMAGES, "targets": TARGETS, "weights": WEIGHTS} | changes
    with pytest.raises(ValueError, match=complaint):
        train(small_config(), data["images"], data["targets"], data["weights"])


def test_a_loss_that_is_no_number_stops_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(config: Any) -> nn.Module:
        network = seed_recipe.build(config)
        nn.init.constant_(network.get_parameter("stages.logits.bias"), float("nan"))
        return network

    seed_recipe = RECIPES["seed"]
    monkeypatch.setitem(RECIPES, "seed", replace(seed_recipe, build=broken))
    with pytest.raises(NonFiniteLoss, match="nan at step 1"):
        train(small_config(), IMAGES, TARGETS, WEIGHTS)


def test_classes_with_one_picture_or_none_do_not_break_a_training() -> None:
    images, labels = bars(20)
    labels = np.where(labels == 2, 0, labels)
    labels[5] = 3
    network = train(small_config(classes=5), images, certain(labels, 5), np.ones(20))
    answers = logits(network, images, device="cpu")
    assert answers.shape == (20, 5)
    assert np.isfinite(answers).all()


def test_an_image_of_weight_zero_teaches_nothing() -> None:
    wrong = np.concatenate([TARGETS, np.roll(TARGETS, 1, axis=1)])
    weights = np.concatenate([WEIGHTS, WEIGHTS * 0])
    doubled = np.concatenate([IMAGES, IMAGES])
    assert right_share(train(small_config(steps=80), doubled, wrong, weights)) > 0.9


def test_soft_targets_and_read_only_pixels_are_learned_from() -> None:
    pixels = IMAGES.copy()
    pixels.flags.writeable = False
    soft = 0.8 * TARGETS + 0.2 / 3
    assert right_share(train(small_config(steps=80), pixels, soft, WEIGHTS)) > 0.9


def test_one_single_picture_can_be_trained_on() -> None:
    reports: list[Progress] = []
    train(small_config(steps=3), IMAGES[:1], TARGETS[:1], WEIGHTS[:1], on_progress=reports.append)
    assert [report.step for report in reports] == [1, 2, 3]
    assert [report.done for report in reports] == pytest.approx([1 / 3, 2 / 3, 1])
    assert all(report.loss >= 0 for report in reports)


@pytest.mark.parametrize("steps", [400, 10**12])  # also of more than there is memory for
def test_a_time_budget_brings_a_training_to_its_end_not_to_a_stop(steps: int) -> None:
    reports: list[Progress] = []
    config = small_config(steps=steps, seconds=40.0)
    network = train(
        config, IMAGES, TARGETS, WEIGHTS, on_progress=reports.append, clock=ticking(0.5)
    )
    assert reports[-1].step == 80  # half a second each
    assert reports[-1].done == 1
    assert reports[0].seconds_left == pytest.approx(39.0)
    assert right_share(network) > 0.9


def test_a_training_that_its_minutes_cut_short_is_kept_and_told_of_all_the_same(
    tmp_path: Path,
) -> None:
    file, seen = tmp_path / "state", list[Progress]()

    def stop(progress: Progress) -> None:
        seen.append(progress)
        if progress.done > 0.5:
            raise TimeoutError

    data = (small_config(steps=4000, seconds=40.0), IMAGES, TARGETS, WEIGHTS)
    with pytest.raises(TimeoutError):
        train(*data, on_progress=stop, checkpoint=file, clock=ticking(0.5))
    assert len(seen) > 15
    assert file.exists()
    train(*data, on_progress=seen.append, checkpoint=file, clock=ticking(0.5))
    assert seen[-1].step == 80  # not twice the minutes


def test_a_training_with_nothing_left_to_learn_ends_early_and_as_well() -> None:
    reports: list[Progress] = []
    config = small_config(steps=400, enough=0.05)
    network = train(config, IMAGES, TARGETS, WEIGHTS, on_progress=reports.append)
    assert 40 < reports[-1].step < 200
    assert reports[-1].done == 1
    assert right_share(network) > 0.9


def test_doubt_in_the_labels_themselves_is_nothing_to_learn() -> None:
    soft = 0.6 * TARGETS + 0.4 / 3  # 0.765 nats that no network can take away
    reports: list[Progress] = []
    config = small_config(steps=400, enough=0.05)
    train(config, IMAGES, soft, WEIGHTS, on_progress=reports.append)
    assert reports[-1].loss > 0.76
    assert reports[-1].step < 250


def test_half_the_width_of_arithmetic_learns_too() -> None:
    network = train(small_config(steps=80, precision="bfloat16"), IMAGES, TARGETS, WEIGHTS)
    assert {one.dtype for one in network.state_dict().values()} == {torch.float32}
    assert right_share(network) > 0.9


def test_pictures_are_read_batch_by_batch() -> None:
    read: list[int] = []

    class OnDisk:
        shape, dtype = IMAGES.shape, IMAGES.dtype

        def __getitem__(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
            read.append(len(rows))
            return IMAGES[rows]

    config = small_config(steps=4)
    from_disk = train(config, OnDisk(), TARGETS, WEIGHTS)
    assert same_weights(from_disk, train(config, IMAGES, TARGETS, WEIGHTS))
    assert read[-4:] == [16] * 4
