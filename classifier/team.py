"""Several processes that train one network together, each on its share of every batch.

A process belongs to a team when ``torch.distributed`` was started in it, as ``torchrun`` does for
``python -m classifier train``; else it is alone, and nothing here costs anything.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import distributed, nn


@dataclass(frozen=True)
class Team:
    """This process is ``rank`` of ``size``."""

    rank: int = 0
    size: int = 1

    @classmethod
    def here(cls) -> Self:
        """The team of this process."""
        if distributed.is_available() and distributed.is_initialized():
            return cls(distributed.get_rank(), distributed.get_world_size())
        return cls()

    def share(self, batch_size: int) -> slice:
        """This process's part of a batch. Raises ValueError where the parts would be unequal."""
        if batch_size % self.size:
            raise ValueError(f"batch_size {batch_size} does not share out among {self.size}")
        return slice(self.rank, None, self.size)

    def seed(self, seed: int, step: int) -> int:
        """What this process draws a step's augmentation and dropout from."""
        mixed = np.random.SeedSequence([seed, step, self.rank]).generate_state(1, np.uint64)
        return int(mixed[0] >> np.uint64(1))

    def average_gradients(self, network: nn.Module) -> None:
        """After each has gone back over its share: one sum over the team, of all gradients at once.

        Plain and in the open; torch's own wrapper overlaps the sums with the way back, which is
        worth having for larger networks than ours.
        """
        if self.size == 1:
            return
        gradients = [one.grad for one in network.parameters() if one.grad is not None]
        flat = torch.cat([one.flatten() for one in gradients])
        distributed.all_reduce(flat)
        flat /= self.size
        start = 0
        for one in gradients:
            one.copy_(flat[start : start + one.numel()].view_as(one))
            start += one.numel()

    def settle(self, network: nn.Module) -> None:
        """Let all go on with the first one's running statistics: each has seen its own pictures."""
        if self.size > 1:
            for buffer in network.buffers():
                distributed.broadcast(buffer, src=0)

    def mean(self, *values: float) -> tuple[float, ...]:
        """The team's means, the same in every process."""
        if self.size == 1:
            return values
        device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        told = torch.tensor(values, dtype=torch.float64, device=device)
        distributed.all_reduce(told)
        return tuple((told / self.size).tolist())
