"""From a recipe's name to a config and an untrained network. A new one is a file and a line."""

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from classifier.config import TrainConfig
from classifier.ensemble import JOINED, EnsembleNetwork
from classifier.recipe import Recipe
from classifier.recipes.alexnet import ALEXNET
from classifier.recipes.efficient import EFFICIENT
from classifier.recipes.fast import FAST
from classifier.recipes.features import FEATURES_RECIPE
from classifier.recipes.resnet import RESNET
from classifier.recipes.seed import SEED
from classifier.recipes.vgg import VGG

RECIPES: dict[str, Recipe] = {
    "features": FEATURES_RECIPE,
    "seed": SEED,
    "fast": FAST,
    "alexnet": ALEXNET,
    "vgg": VGG,
    "resnet": RESNET,
    "efficient": EFFICIENT,
}


def recipe(name: str) -> Recipe:
    """The recipe of this name. Raises ValueError naming those there are."""
    if name not in RECIPES:
        known = ", ".join(sorted(RECIPES))
        raise ValueError(f"recipe {name!r} is unknown; there are: {known}")
    return RECIPES[name]


def configured(name: str, **settings: Any) -> TrainConfig:
    """The config of a recipe, trained as was measured to be best for it, from the weights it
    comes with, unless ``settings`` say
    otherwise. Raises ValueError for an unknown recipe and for settings that make no sense."""
    by = recipe(name)
    measured: dict[str, Any] = {
        "pretrained": _hash_of_own_weights(name),
        "learning_rate": by.learning_rate,
        "batch_size": by.batch_size,
        "weight_decay": by.weight_decay,
    }
    return TrainConfig(recipe=name, **(measured | settings))


@lru_cache
def _hash_of_own_weights(name: str) -> str | None:
    """Of the file that a recipe starts from by itself."""
    start_file = recipe(name).start_file
    return hashlib.sha256(start_file().read_bytes()).hexdigest() if start_file else None


def build(config: TrainConfig) -> nn.Module:
    """Return the untrained network of ``config.recipe``, its weights drawn from ``config.seed``.

    Recipes joined by a plus sign make an ensemble of them. The network takes pixels (n, C, H, W) on
    the 0..255 scale, uint8 or float, and gives logits (n, classes). The process's own random state
    is left as it was. Raises ValueError for an unknown recipe, or when the recipe cannot take the
    config's image size.
    """
    if JOINED in config.recipe:
        names = config.recipe.split(JOINED)
        return EnsembleNetwork({name: build(replace(config, recipe=name)) for name in names})
    by = recipe(config.recipe)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return by.build(config)
