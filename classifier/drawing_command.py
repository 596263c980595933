"""``python -m classifier draw MODEL|RECIPE OUT.svg``: a network's stages as a picture."""

import argparse
from pathlib import Path

import numpy as np
from torch import nn

from classifier import checkpoint
from classifier.activations import stages
from classifier.atomic import replace_file
from classifier.config import TrainConfig
from classifier.drawing import drawn
from classifier.model import RECIPES, build


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("model", help=f"a model file, or a recipe: {', '.join(RECIPES)}")
    parser.add_argument("out", type=Path, help="the SVG file to write")
    parser.add_argument("--image-size", type=int, default=32, help="of a recipe")
    parser.add_argument("--channels", type=int, choices=(1, 3), default=3, help="of a recipe")
    parser.add_argument("--classes", type=int, default=10, help="of a recipe")


def run(options: argparse.Namespace) -> str:
    """Draw and say where. Raises OSError, ValueError."""
    network, config, name = _named(options)
    blank = np.zeros((config.image_size, config.image_size, config.channels), dtype=np.uint8)
    edge = f"{config.image_size} pixels, {'grey' if config.channels == 1 else 'colour'}"
    numbers = sum(one.numel() for one in network.parameters())
    title = f"{name}: {edge}, {config.classes} classes, {numbers:,} learned numbers"
    replace_file(options.out, drawn(stages(network, blank), title=title).encode())
    return f"{options.out}: {title}"


def _named(options: argparse.Namespace) -> tuple[nn.Module, TrainConfig, str]:
    """A recipe's untrained network, or a model file's own."""
    if options.model in RECIPES:
        config = TrainConfig(options.classes, options.model, options.image_size, options.channels)
        return build(config), config, options.model
    found = checkpoint.load(Path(options.model))
    return found.network, found.config, f"{Path(options.model).name} ({found.config.recipe})"
