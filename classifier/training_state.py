"""Everything that changes from step to step, so that it can be put down and taken up again."""

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from classifier.compute import device_for
from classifier.config import TrainConfig
from classifier.folding import with_norms
from classifier.model import build
from classifier.training_set import TrainingSet


@dataclass
class TrainingState:
    """The network and what trains it, after ``step`` steps.

    ``generator`` draws the augmentation; ``losses`` are those since the last report.
    """

    network: nn.Module
    optimizer: Optimizer
    generator: torch.Generator
    losses: list[float]
    step: int = 0

    @classmethod
    def fresh(cls, config: TrainConfig, data: TrainingSet) -> Self:
        """Before the first step: weights drawn from the seed, pixel statistics of the data."""
        network = with_norms(build(config))
        mean, std = data.channel_statistics()
        own = network.state_dict()
        if "mean" in own:
            own["mean"].copy_(torch.from_numpy(mean))
            own["std"].copy_(torch.from_numpy(std))
        network.to(device_for(config.device), memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = AdamW(
            network.parameters(),
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=True,
        )
        generator = torch.Generator().manual_seed(config.seed)
        return cls(network.train(), optimizer, generator, [])

    def tensors(self) -> dict[str, Tensor]:
        """All that is large, as flat names and tensors on the CPU; the rest is in ``notes``."""
        flat = {f"network.{name}": one for name, one in self.network.state_dict().items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            flat |= {f"optimizer.{index}.{name}": one for name, one in moments.items()}
        flat["generator"] = self.generator.get_state()
        flat["process_generator"] = torch.get_rng_state()  # dropout draws from it
        return {name: one.cpu().contiguous() for name, one in flat.items()}

    def notes(self) -> dict[str, Any]:
        """What is small: JSON types only."""
        return {"step": self.step, "losses": self.losses}

    def restore(self, tensors: dict[str, Tensor], notes: dict[str, Any]) -> None:
        """Go back to where ``tensors`` and ``notes`` were taken."""
        network: dict[str, Tensor] = {}
        moments: dict[int, dict[str, Tensor]] = {}
        parameters = list(self.network.parameters())
        for flat, tensor in tensors.items():
            part, _, name = flat.partition(".")
            if part == "network":
                network[name] = tensor
            if part == "optimizer":
                number, _, moment = name.partition(".")
                kept = _laid_like(parameters[int(number)], tensor)
                moments.setdefault(int(number), {})[moment] = kept
        self.network.load_state_dict(network)
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.generator.set_state(tensors["generator"])
        torch.set_rng_state(tensors["process_generator"])
        self.step, self.losses = notes["step"], list(notes["losses"])


def _laid_like(parameter: Tensor, moment: Tensor) -> Tensor:
    """The fused optimizer walks memory: a moment must lie in it as its parameter does."""
    if moment.shape != parameter.shape:
        return moment  # the step counter
    return torch.empty_like(parameter.detach()).copy_(moment)
