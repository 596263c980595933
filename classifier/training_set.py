"""The images, soft targets and weights of one training, checked before any work is done."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from classifier.config import TrainConfig
from classifier.uncertainty import entropy

SUM_TOLERANCE = 1e-3
HASHED = 4096  # images at once


class Images(Protocol):
    """Pictures (n, H, W, C) uint8, read by their rows: an array, or what is read from disk."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, H, W, C)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a pixel."""

    def __getitem__(self, rows: npt.NDArray[np.int64], /) -> npt.NDArray[np.uint8]:
        """(rows, H, W, C) of these."""


@dataclass(frozen=True)
class TrainingSet:
    """Checked data: everything ``train`` assumes holds.

    images: (n, H, W, C) uint8. targets: (n, K) float64, rows summing to 1.
    weights: (n,) float64, at least 0, at least one above it.
    """

    images: Images
    targets: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]

    @classmethod
    def checked(
        cls,
        config: TrainConfig,
        images: Images,
        targets: npt.NDArray[Any],
        weights: npt.NDArray[Any],
    ) -> Self:
        """Raise ValueError saying which array is wrong and how, or return the set."""
        side, count = config.image_size, images.shape[0]
        if not count:
            raise ValueError("images: there are none to train on")
        if images.dtype != np.uint8:
            raise ValueError(f"images must be uint8, not {images.dtype}")
        _same("images", images.shape, (count, side, side, config.channels))
        _same("targets", targets.shape, (count, config.classes))
        _same("weights", weights.shape, (count,))
        targets, weights = targets.astype(np.float64), weights.astype(np.float64)
        _measures("targets", targets)
        _measures("weights", weights)
        off = float(np.abs(targets.sum(axis=1) - 1).max())
        if off > SUM_TOLERANCE:
            raise ValueError(f"targets: a row's sum is {off:.3g} away from 1")
        if not weights.any():
            raise ValueError("weights are all zero: there is nothing to learn from")
        return cls(images, targets / targets.sum(axis=1, keepdims=True), weights)

    def channel_statistics(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Mean and standard deviation per channel (C,) over the images that weigh something.

        On the 0..255 scale; the deviation is at least 1, so that flat pictures stay finite.
        At most 4,096 images, evenly spread, are read for it.
        """
        used = np.flatnonzero(self.weights)
        sample = self.images[used[:: -(-len(used) // 4096)]].astype(np.float32)
        mean = sample.mean(axis=(0, 1, 2), dtype=np.float64)
        std = sample.std(axis=(0, 1, 2), dtype=np.float64)
        return mean.astype(np.float32), np.maximum(std, 1.0).astype(np.float32)

    def doubt(self) -> npt.NDArray[np.float64]:
        """(n,) nats that each image's target costs a network that knows it: its entropy."""
        return entropy(self.targets)

    def fingerprint(self, config: TrainConfig) -> str:
        """SHA-256 over config and data: the same only for the very same training."""
        digest = hashlib.sha256(json.dumps(config.to_dict(), sort_keys=True).encode())
        rows = np.arange(self.images.shape[0])
        for start in range(0, len(rows), HASHED):
            part = self.images[rows[start : start + HASHED]]
            digest.update(np.ascontiguousarray(part).data)
        for array in (self.targets, self.weights):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def _same(name: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if shape != expected:
        raise ValueError(f"{name} must have the shape {expected}, not {shape}")


def _measures(name: str, values: npt.NDArray[np.float64]) -> None:
    if not np.isfinite(values).all():
        raise ValueError(f"{name} hold NaN or infinity")
    if (values < 0).any():
        raise ValueError(f"{name} hold negative numbers")
