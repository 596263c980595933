"""The seed network: three conv blocks, 32x32 pixels to an 8x8 stack, a small MLP, logits."""

from collections import OrderedDict

from torch import nn

from classifier.config import TrainConfig
from classifier.network import StagedNetwork

FILTERS = (16, 32, 64)
HIDDEN = 64
REDUCTION = 4  # two poolings by two: 32x32 becomes 8x8


def seed(config: TrainConfig) -> StagedNetwork:
    """Build it untrained. Raises ValueError when the image cannot be halved twice."""
    if config.image_size % REDUCTION:
        raise ValueError(f"image_size must be a multiple of {REDUCTION}, not {config.image_size}")
    first, second, third = FILTERS
    side = config.image_size // REDUCTION
    return StagedNetwork(
        config.channels,
        OrderedDict(
            conv1=nn.Conv2d(config.channels, first, 3, padding=1),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),  # (n, 16, 16, 16)
            conv2=nn.Conv2d(first, second, 3, padding=1),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),  # (n, 32, 8, 8)
            conv3=nn.Conv2d(second, third, 3, padding=1),
            relu3=nn.ReLU(),
            flatten=nn.Flatten(),  # (n, 4096)
            hidden=nn.Linear(third * side * side, HIDDEN),
            relu4=nn.ReLU(),
            logits=nn.Linear(HIDDEN, config.classes),  # (n, classes)
        ),
    )
