"""A network of each recipe as a Round would publish it, made in seconds."""

import copy
import hashlib
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from classifier.config import TrainConfig
from classifier.ensemble import JOINED, EnsembleNetwork
from classifier.features import Describer
from classifier.model import RECIPES, build, configured, recipe
from classifier.pool import Pool
from classifier.recipes.features import FeatureNetwork
from classifier.train import train
from tests.classifier.pictures import STILL, bars, certain

STEPS = 8
KINDS = [*RECIPES, f"features{JOINED}fast"]  # what a Round may publish


@lru_cache(maxsize=4)
def finished(name: str, channels: int = 3, size: int = 16) -> tuple[nn.Module, TrainConfig]:
    """In evaluation mode, of three classes; trained a little, or full of a pool of pictures.

    Whoever changes it copies it.
    """
    if JOINED in name:
        return _together(name, channels, size)
    file = recipe(name).start_file
    config = configured(
        name, classes=3, image_size=size, channels=channels, steps=STEPS, batch_size=12,
        augmentation=STILL, pretrained=hashlib.sha256(file().read_bytes()).hexdigest() if file
        else None, device="cpu", threads=1, seed=5,
    )  # fmt: skip
    images, (_, labels) = pictures(36, channels, size), bars(36)
    network = build(config).eval()
    if not isinstance(network, FeatureNetwork):
        return train(config, images, certain(labels), np.ones(36)), config
    describer = Describer.learned(images)
    network.see(describer, Pool.of(describer.describe(images)))
    return network, config


def _together(name: str, channels: int, size: int) -> tuple[nn.Module, TrainConfig]:
    members = {one: finished(one, channels, size) for one in name.split(JOINED)}
    network = EnsembleNetwork({one: copy.deepcopy(member) for one, (member, _) in members.items()})
    network.weigh(torch.tensor([0.7, 0.3]))
    (_, config), *_ = members.values()
    return network.eval(), replace(config, recipe=name)


def pictures(count: int, channels: int = 3, size: int = 16) -> np.ndarray:
    """Bars (count, size, size, channels), enlarged where ``size`` is a multiple of 16."""
    images, _ = bars(count)
    return images[..., :channels].repeat(size // 16, axis=1).repeat(size // 16, axis=2)
