"""From a recipe's name to an untrained network. A new recipe is one file and one line here."""

from collections.abc import Callable

import torch
from torch import nn

from classifier.config import TrainConfig
from classifier.recipes.features import features
from classifier.recipes.seed import seed

RECIPES: dict[str, Callable[[TrainConfig], nn.Module]] = {
    "seed": seed,
    "features": features,
}


def build(config: TrainConfig) -> nn.Module:
    """Return the untrained network of ``config.recipe``, its weights drawn from ``config.seed``.

    The network takes pixels (n, C, H, W) on the 0..255 scale, uint8 or float, and gives logits
    (n, classes). The process's own random state is left as it was. Raises ValueError for an
    unknown recipe, or when the recipe cannot take the config's image size.
    """
    if config.recipe not in RECIPES:
        known = ", ".join(sorted(RECIPES))
        raise ValueError(f"recipe {config.recipe!r} is unknown; there are: {known}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return RECIPES[config.recipe](config)
