"""What every recipe promises: any picture size, grey or colour, any number of classes."""

import pytest
import torch
from torch import nn

from classifier.config import TrainConfig
from classifier.folding import folded, with_norms
from classifier.model import RECIPES, build, configured
from classifier.network import StagedNetwork
from classifier.predict import logits
from classifier.train import train
from tests.classifier.pictures import STILL, bars, certain

STAGED = [name for name in RECIPES if name != "features"]


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(("size", "channels", "classes"), [(32, 1, 2), (48, 3, 11), (224, 3, 3)])
def test_every_recipe_takes_every_picture_size(
    recipe: str, size: int, channels: int, classes: int
) -> None:
    network = build(TrainConfig(classes, recipe, size, channels)).eval()
    pixels = torch.randint(0, 256, (2, channels, size, size), dtype=torch.uint8)
    with torch.inference_mode():
        said = network(pixels)
    assert said.shape == (2, classes)
    assert torch.isfinite(said).all()


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_smallest_picture_a_project_may_have_goes_through_every_recipe(recipe: str) -> None:
    with torch.inference_mode():
        said = build(TrainConfig(3, recipe, 16, 1)).eval()(torch.zeros(1, 1, 16, 16))
    assert said.shape == (1, 3)


@pytest.mark.parametrize("recipe", STAGED)
def test_a_recipe_that_is_trained_here_ends_in_logits_and_folds(recipe: str) -> None:
    network = build(configured(recipe, classes=4, channels=1))
    assert isinstance(network, StagedNetwork)
    assert [name for name, _ in network.stages.named_children()][-1] == "logits"
    kinds = [type(module) for module in network.modules()]
    trainable = with_norms(network)
    convolutions = sum(isinstance(module, nn.Conv2d) for module in trainable.modules())
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in trainable.modules())
    assert norms == convolutions
    assert [type(module) for module in folded(trainable).modules()] == kinds


@pytest.mark.parametrize("recipe", [name for name in STAGED if name != "efficient"])
def test_every_recipe_that_begins_from_nothing_learns(recipe: str) -> None:
    images, labels = bars(96)
    steps = 60 if recipe == "resnet" else 120
    config = configured(
        recipe, classes=3, image_size=16, steps=steps, batch_size=16, augmentation=STILL,
        device="cpu", threads=1,
    )  # fmt: skip
    network = train(config, images, certain(labels), torch.ones(96).numpy())
    fresh, truth = bars(90, seed=1)
    assert (logits(network, fresh, device="cpu").argmax(axis=1) == truth).mean() > 0.85
