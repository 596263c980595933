"""Several networks that answer as one: their log-softmax, weighed.

Networks that see differently err differently (heads on a pretrained network, one trained from the
beginning), and their geometric mean is right where either is sure (Hinton 2002, "Training Products
of Experts").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from classifier.stages import LOGITS, Stage, kept, through

JOINED = "+"  # between the recipes of an ensemble, in the name of its own


@dataclass(frozen=True)
class Readings:
    """What each member reads of the same n images, in the members' order: arrays, or rows that lie
    on disk until they are looked at."""

    parts: tuple[Any, ...]

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
        return self._weighed([m(one) for m, one in zip(self.members.values(), read, strict=True)])

    def _weighed(self, logits: Sequence[Tensor]) -> Tensor:
        """The members' logits, (n, K) each, as one."""
        said = torch.stack([functional.log_softmax(one, dim=1) for one in logits])
        return torch.einsum("m,mnk->nk", self.get_buffer("opinion"), said)  # (images, classes)

    def staged(self, pixels: Tensor) -> list[Stage]:
        """One picture's way, (1, C, H, W), through each member, what each says, and both as one."""
        seen, said = [], []
        for (name, member), weight in zip(
            self.members.items(), self.get_buffer("opinion"), strict=True
        ):
            stages = through(member, pixels)
            logits = torch.from_numpy(stages[-1].values)[None].to(pixels.device)
            shares = kept(logits.softmax(dim=1)[0])
            seen += [replace(one, name=f"{name}: {one.name}") for one in stages]
            seen.append(Stage(f"{name}: opinion", "opinion", shares, counts=float(weight)))
            said.append(logits)
        return [*seen, Stage(LOGITS, LOGITS, kept(self._weighed(said)[0]))]


def members_of(network: nn.Module) -> list[nn.Module]:
    """The members of an ensemble; of another network, itself."""
    if isinstance(network, EnsembleNetwork):
        return list(network.members.values())
    return [network]
