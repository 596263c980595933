"""Several networks that answer as one: their log-softmax, weighed.

Networks that see differently err differently (heads on a pretrained network, one trained from the
beginning), and their geometric mean is right where either is sure (Hinton 2002, "Training Products
of Experts").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

JOINED = "+"  # between the recipes of an ensemble, in the name of its own


@dataclass(frozen=True)
class Readings:
    """What each member reads of the same n images, in the members' order."""

    parts: tuple[npt.NDArray[Any], ...]

    def __len__(self) -> int:
        return len(self.parts[0])

    def __getitem__(self, rows: slice) -> "Readings":
        return Readings(tuple(part[rows] for part in self.parts))


class EnsembleNetwork(nn.Module):
    """Pixels (n, C, H, W), or what each member reads of them, to logits (n, K)."""

    def __init__(self, members: Mapping[str, nn.Module]) -> None:
        """Take the members by their recipes' names; they count alike until they are weighed."""
        super().__init__()
        self.members = nn.ModuleDict(dict(members))
        self.register_buffer("opinion", torch.full((len(members),), 1 / len(members)))

    @torch.no_grad()
    def weigh(self, opinion: Tensor) -> None:
        """Let each member count by so much, (members,)."""
        self.get_buffer("opinion").copy_(opinion)

    @property
    def common_names(self) -> list[str]:
        """The tensors that its members have in common with networks of their kind."""
        return [
            f"members.{recipe}.{name}"
            for recipe, member in self.members.items()
            for name in getattr(member, "common_names", [])
        ]

    def forward(self, seen: Tensor | Sequence[Tensor]) -> Tensor:
        read = [seen] * len(self.members) if isinstance(seen, Tensor) else seen
        said = torch.stack(
            [
                functional.log_softmax(member(one), dim=1)
                for member, one in zip(self.members.values(), read, strict=True)
            ]
        )  # (members, images, classes)
        return torch.einsum("m,mnk->nk", self.get_buffer("opinion"), said)


def members_of(network: nn.Module) -> list[nn.Module]:
    """The members of an ensemble; of another network, itself."""
    if isinstance(network, EnsembleNetwork):
        return list(network.members.values())
    return [network]
