"""A trained normalisation becomes part of the filters, and what is served is the picture itself."""

import numpy as np
import torch
from torch import nn

from classifier.config import TrainConfig
from classifier.folding import folded, with_norms
from classifier.model import build
from classifier.train import train
from tests.classifier.pictures import bars, certain, small_config


def unsettled(network: nn.Module) -> nn.Module:
    """The network with statistics that are not those of an untrained one."""
    generator = torch.Generator().manual_seed(3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.weight.data, module.bias.data):
                values.copy_(torch.randn(values.shape, generator=generator))
            module.running_var.copy_(
                torch.rand(module.running_var.shape, generator=generator) + 0.2
            )
    return network.eval()


def test_the_folded_network_says_what_the_trained_one_said() -> None:
    learned = unsettled(with_norms(build(TrainConfig(classes=4))))
    images = torch.randint(0, 256, (5, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before = learned(images.float())
        after = folded(learned)(images.float())
    assert torch.allclose(before, after, rtol=1e-3, atol=1e-3)
    assert before.std() > 0.1


def test_what_training_gives_back_is_filters_relu_and_pooling_alone() -> None:
    images, labels = bars(24)
    config = small_config(steps=4)
    network = train(config, images, certain(labels), np.ones(len(labels)))
    assert [type(module) for module in network.modules()] == [
        type(module) for module in build(config).modules()
    ]
    assert set(network.state_dict()) == set(build(config).state_dict())
    assert not network.training
