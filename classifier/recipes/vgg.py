"""VGG's plan: pairs of 3x3 convolutions, twice the filters after each pooling."""

from collections import OrderedDict

from torch import nn

from classifier.blocks import halvings
from classifier.config import TrainConfig
from classifier.network import StagedNetwork
from classifier.recipe import Recipe

NARROWEST, WIDEST = 32, 256
MOST_BLOCKS = 5
HIDDEN = 128
DROPOUT = 0.3
LAST_SIDE = 4  # of the last maps, or a little more


def build(config: TrainConfig) -> StagedNetwork:
    """Build it untrained (Simonyan and Zisserman 2015): three blocks for 32 pixels, five for 128
    and more."""
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    inputs, side = config.channels, config.image_size
    for block in range(1, 1 + max(1, min(MOST_BLOCKS, halvings(config.image_size, LAST_SIDE)))):
        filters = min(WIDEST, NARROWEST * 2 ** (block - 1))
        for layer in "ab":
            stages[f"conv{block}{layer}"] = nn.Conv2d(inputs, filters, 3, padding=1)
            stages[f"relu{block}{layer}"] = nn.ReLU()
            inputs = filters
        stages[f"pool{block}"] = nn.MaxPool2d(2)
        side //= 2
    stages |= {
        "flatten": nn.Flatten(),
        "dropout": nn.Dropout(DROPOUT),
        "hidden": nn.Linear(inputs * side * side, HIDDEN),
        "relu_hidden": nn.ReLU(),
        "logits": nn.Linear(HIDDEN, config.classes),
    }
    return StagedNetwork(config.channels, stages)


VGG = Recipe(build, "pairs of convolutions, deeper for larger pictures", learning_rate=3e-3)
