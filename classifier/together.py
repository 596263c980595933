"""Networks that read the same features, asked in one pass: reading costs more than all heads do."""

from collections.abc import Sequence
from functools import cached_property, lru_cache

import torch
from torch import Tensor, nn

from classifier.features import Describer
from classifier.recipes.features import FeatureNetwork


class OneReading(nn.Module):
    """m networks of one describer and one pool: features (n, FEATURES) to logits (n, m · K), the
    first network's K first."""

    def __init__(self, networks: Sequence[FeatureNetwork]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self._heads = tuple(networks)

    @cached_property
    def describer(self) -> Describer:
        """What makes the features that they read."""
        return self._heads[0].describer

    def forward(self, features: Tensor) -> Tensor:
        rows = self._heads[0].read(features.float())
        return torch.cat([network.say(rows) for network in self._heads], dim=1)


@lru_cache(maxsize=2)  # comparing takes as long as asking about some hundred images
def in_one_reading(*networks: nn.Module) -> OneReading | None:
    """The networks as one, where all read the same of a picture; else nothing."""
    alike = [network for network in networks if isinstance(network, FeatureNetwork)]
    if len(alike) < max(2, len(networks)):
        return None
    first = dict(alike[0].named_buffers())
    same = all(
        torch.equal(first[name], network.get_buffer(name))
        for network in alike[1:]
        for name in network.common_names
    )
    return OneReading(alike) if same else None
