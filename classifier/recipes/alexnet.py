"""AlexNet's plan for small pictures: five convolutions, pooled in three places, dropout, an MLP."""

from collections import OrderedDict

from torch import nn

from classifier.blocks import halvings
from classifier.config import TrainConfig
from classifier.network import StagedNetwork
from classifier.recipe import Recipe

FILTERS = (32, 64, 96, 96, 64)
HIDDEN = 256
DROPOUT = 0.3
SIDE = 32  # of the maps after the first convolution, or up to twice that


def build(config: TrainConfig) -> StagedNetwork:
    """Build it untrained (Krizhevsky, Sutskever and Hinton 2012).

    As there, the first convolution steps over large pictures: 224 pixels come down to 56 at once,
    32 stay as they are.
    """
    stride = 2 ** halvings(config.image_size, SIDE)
    one, two, three, four, five = FILTERS
    side = (-(-config.image_size // stride)) // 8
    return StagedNetwork(
        config.channels,
        OrderedDict(
            conv1=nn.Conv2d(config.channels, one, 5, stride, padding=2),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(one, two, 3, padding=1),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            conv3=nn.Conv2d(two, three, 3, padding=1),
            relu3=nn.ReLU(),
            conv4=nn.Conv2d(three, four, 3, padding=1),
            relu4=nn.ReLU(),
            conv5=nn.Conv2d(four, five, 3, padding=1),
            relu5=nn.ReLU(),
            pool3=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            dropout1=nn.Dropout(DROPOUT),
            hidden=nn.Linear(five * side * side, HIDDEN),
            relu6=nn.ReLU(),
            dropout2=nn.Dropout(DROPOUT),
            logits=nn.Linear(HIDDEN, config.classes),
        ),
    )


ALEXNET = Recipe(build, "five convolutions and an MLP with dropout", learning_rate=3e-3)
