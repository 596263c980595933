"""What learns best a second on a few CPU cores: four convolutions, most of them on small maps.

Filters are few while maps are large: of the arithmetic for a picture of 32 pixels a fiftieth is in
the first convolution, the rest on maps of 16x16 and less. There is no hidden layer: the logits read
the last maps, a fifth of whose cells are left out at each step of the training.
"""

from collections import OrderedDict

from torch import nn

from classifier.blocks import halvings
from classifier.config import TrainConfig
from classifier.network import StagedNetwork
from classifier.recipe import Recipe

FILTERS = (24, 64, 128, 128)
DROPOUT = 0.2
SIDE = 32  # of the maps after the first convolution, or up to twice that


def build(config: TrainConfig) -> StagedNetwork:
    """Build it untrained. The first convolution steps over pictures of 64 pixels and more."""
    stride = 2 ** halvings(config.image_size, SIDE)
    kernel = 3 if stride == 1 else 2 * stride - 1
    first, second, third, fourth = FILTERS
    side = (-(-config.image_size // stride)) // 8
    return StagedNetwork(
        config.channels,
        OrderedDict(
            conv1=nn.Conv2d(config.channels, first, kernel, stride, padding=kernel // 2),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(first, second, 3, padding=1),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            conv3=nn.Conv2d(second, third, 3, padding=1),
            relu3=nn.ReLU(),
            pool3=nn.MaxPool2d(2),
            conv4=nn.Conv2d(third, fourth, 3, padding=1),
            relu4=nn.ReLU(),
            flatten=nn.Flatten(),  # (n, 2048) of 32 pixels
            dropout=nn.Dropout(DROPOUT),
            logits=nn.Linear(fourth * side * side, config.classes),
        ),
    )


FAST = Recipe(
    build, "learns most a second: four convolutions, most of them on small maps",
    learning_rate=8e-3, batch_size=128,
)  # fmt: skip
