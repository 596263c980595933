"""The frame every recipe fills: pixels are normalised inside, stages have names."""

from collections import OrderedDict

import torch
from torch import Tensor, nn


class StagedNetwork(nn.Module):
    """A classifier as a row of named stages, which carries its own preprocessing.

    ``mean`` and ``std`` (per channel, on the 0..255 scale) are buffers, so the saved file needs
    no other knowledge to read a picture. ``stages`` runs in order and ends in logits.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        channels: int,
        stages: "OrderedDict[str, nn.Module]",
        *,
        pixels: tuple[float, float] | None = None,
    ) -> None:
        """Take the recipe's modules in the order in which the signal meets them.

        pixels: mean and deviation that the weights were made for; without them a training takes
        those of its data.
        """
        super().__init__()
        mean, std = pixels or (127.5, 64.0)
        self.register_buffer("mean", torch.full((channels,), mean))
        self.register_buffer("std", torch.full((channels,), std))
        self.stages = nn.Sequential(stages)
        self.learns_pixels = pixels is None

    def normalise(self, images: Tensor) -> Tensor:
        """Pixels 0..255, uint8 or float, to about zero mean and unit variance."""
        shape = (1, -1, 1, 1)
        return (images.float() - self.mean.view(shape)) / self.std.view(shape)  # (n, C, H, W)

    def forward(self, images: Tensor) -> Tensor:
        """Pixels (n, C, H, W) on the 0..255 scale to logits (n, classes)."""
        logits: Tensor = self.stages(self.normalise(images))
        return logits  # (images, classes)
