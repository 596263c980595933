"""The seed network: three conv blocks, 32x32 pixels to an 8x8 stack, a small MLP, logits."""

from collections import OrderedDict

from torch import nn

from classifier.config import TrainConfig
from classifier.network import StagedNetwork
from classifier.recipe import Recipe

FILTERS = (16, 32, 64)
HIDDEN = 64
STACK = 8  # side of the last maps, or a little more: 32x32 pixels become 8x8


def build(config: TrainConfig) -> StagedNetwork:
    """Build it untrained. Pictures of 64 pixels and more are pooled once more."""
    first, second, third = FILTERS
    stages: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(config.channels, first, 3, padding=1),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),  # (n, 16, 16, 16)
        conv2=nn.Conv2d(first, second, 3, padding=1),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),  # (n, 32, 8, 8)
        conv3=nn.Conv2d(second, third, 3, padding=1),
        relu3=nn.ReLU(),
    )
    side = config.image_size // 4
    window = max(1, side // STACK)
    if window > 1:
        stages["pool3"] = nn.MaxPool2d(window)
    side //= window
    stages |= {
        "flatten": nn.Flatten(),  # (n, 4096)
        "hidden": nn.Linear(third * side * side, HIDDEN),
        "relu4": nn.ReLU(),
        "logits": nn.Linear(HIDDEN, config.classes),  # (n, classes)
    }
    return StagedNetwork(config.channels, stages)


SEED = Recipe(build, "a small network of three conv blocks, trained from the beginning")
