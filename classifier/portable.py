"""Networks in the form in which they leave: one piece, without a look at what its tensors hold.

A network may lean on a backbone that its process has loaded, or do one thing or another depending
on its buffers. A file for other programs can do neither, so each kind that does has a twin here
that computes the very same.
"""

import copy

import torch
from torch import Tensor, nn

from classifier import backbone, patches
from classifier.manifold import COORDINATES, Manifold, placed
from classifier.recipes.features import FeatureNetwork


class PortableManifold(Manifold):
    """A manifold of which every landmark is a picture."""

    def coordinates(self, pictures: Tensor) -> Tensor:
        """(n, COORDINATES) of pictures (n, d), rows of length one, all at once."""
        if not len(self.landmarks):
            return pictures.new_zeros(pictures.shape[0], COORDINATES)
        return placed(pictures, self.landmarks.float(), self.places.float())


class PortableFeatures(FeatureNetwork):
    """A network of the recipe ``features`` with its backbone among its own modules."""

    def __init__(self, network: FeatureNetwork) -> None:
        """Take over what ``network`` knows; it stays as it is."""
        channels = len(network.get_buffer("patch_filters")) // patches.PATCH**2
        super().__init__(len(network.get_parameter("heads.0.bias")), channels)
        self.load_state_dict(network.state_dict())
        there = network.get_buffer("landmarks").any(dim=1)  # a smaller pool leaves empty rows
        self.register_buffer("landmarks", network.get_buffer("landmarks")[there])
        self.register_buffer("places", network.get_buffer("places")[there])
        self.backbone = copy.deepcopy(backbone.pretrained())
        self.train(network.training)

    @property
    def manifold(self) -> Manifold:
        """Where a picture lies among those of the pool."""
        return PortableManifold(self.get_buffer("landmarks"), self.get_buffer("places"))

    def described(self, pixels: Tensor) -> Tensor:
        """Pixels (n, C, H, W) on the 0..255 scale to features (n, FEATURES)."""
        return self.describer.seen_with(self.backbone, pixels)


def portable(network: nn.Module) -> nn.Module:
    """A twin of the network, on the CPU, in which every part is portable; it stays as it is."""
    return _portable(copy.deepcopy(network).cpu().eval())


def _portable(network: nn.Module) -> nn.Module:
    if isinstance(network, FeatureNetwork):
        return PortableFeatures(network)
    for name, part in network.named_children():
        network.add_module(name, _portable(part))
    return network


class Exported(nn.Module):
    """What other programs run: pixels as pictures are kept in, calibrated probabilities out."""

    def __init__(self, network: nn.Module, temperature: float) -> None:
        """Stand before and behind a network of pixels (n, C, H, W) to logits (n, K)."""
        super().__init__()
        self.network, self.temperature = portable(network), temperature

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels (n, H, W, C) uint8 to probabilities and logits, (n, K) float32 both."""
        logits = self.network(pixels.permute(0, 3, 1, 2).float()).float()
        return torch.softmax(logits / self.temperature, dim=1), logits
