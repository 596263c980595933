"""What a recipe is: how its network is built, and how it is best trained."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from classifier.config import TrainConfig


@dataclass(frozen=True)
class Recipe:
    """One file under ``recipes/`` gives one; ``classifier.model.RECIPES`` lists them.

    build: the untrained network of a config. words: what it is, for a page.
    learning_rate, batch_size and weight_decay were measured for it (docs/models.md).
    start: fills a network that is about to be trained (each convolution with its normalisation)
    from a file of pretrained weights; None where there are none to start from. It raises
    ``BadWeights`` when the file does not fit. start_file: the file it starts from unless another is
    given.
    """

    build: Callable[[TrainConfig], nn.Module]
    words: str
    learning_rate: float = 6e-3
    batch_size: int = 64
    weight_decay: float = 0.2
    start: Callable[[nn.Module, Path], None] | None = None
    start_file: Callable[[], Path] | None = None


class BadWeights(ValueError):
    """A file of pretrained weights does not fit the network; the message names the file."""
