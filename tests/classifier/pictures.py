"""Tiny training sets: two kinds of pictures that even a short training can tell apart."""

from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.config import Augmentation, TrainConfig

STILL = Augmentation(shift=1, rotate=0, scale=0, brightness=0, contrast=0, noise=0.02, colour=0)


def small_config(**changes: Any) -> TrainConfig:
    """A training of a second or less on 16x16 pictures."""
    settings: dict[str, Any] = {
        "classes": 3, "image_size": 16, "steps": 30, "batch_size": 16, "augmentation": STILL,
        "device": "cpu", "threads": 1,
    }  # fmt: skip
    return TrainConfig(**(settings | changes))


def bars(count: int, *, seed: int = 0) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Lying bars (0), standing bars (1) and blots (2): images (count, 16, 16, 3) and labels."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 60, (count, 16, 16, 3), dtype=np.uint8)
    labels = np.arange(count) % 3
    for image, label in zip(images, labels, strict=True):
        row, column = random.integers(2, 10, 2)
        tall, wide = ((3, 12), (12, 3), (6, 6))[label]
        row, column = min(row, 15 - tall), min(column, 15 - wide)
        image[row : row + tall, column : column + wide] += np.uint8(180)
    return images, labels


def certain(labels: npt.NDArray[np.int64], classes: int = 3) -> npt.NDArray[np.float64]:
    """One-hot targets (n, classes)."""
    return np.eye(classes)[labels]
