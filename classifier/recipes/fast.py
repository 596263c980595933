"""What learns best a second on a few CPU cores: two conv blocks, a residual one, strongest answers.

Filters are few while maps are large, most of the arithmetic is done on maps of 8x8, and instead of
a wide MLP each filter hands on its strongest answer.
"""

from collections import OrderedDict

from torch import nn

from classifier.blocks import Peak, Residual, halvings
from classifier.config import TrainConfig
from classifier.network import StagedNetwork
from classifier.recipe import Recipe

FILTERS = (24, 48, 96)
SIDE = 32  # of the maps after the first convolution, or up to twice that


def build(config: TrainConfig) -> StagedNetwork:
    """Build it untrained."""
    stride = 2 ** halvings(config.image_size, SIDE)
    kernel = 3 if stride == 1 else 2 * stride - 1
    first, second, third = FILTERS
    return StagedNetwork(
        config.channels,
        OrderedDict(
            conv1=nn.Conv2d(config.channels, first, kernel, stride, padding=kernel // 2),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(first, second, 3, padding=1),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            residual=Residual(second, third),
            peak=Peak(),  # (n, 96)
            logits=nn.Linear(third, config.classes),
        ),
    )


FAST = Recipe(build, "learns most a second: a residual block and strongest answers")
