"""Everything that changes from step to step, so that it can be put down and taken up again."""

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from classifier.compute import device_for
from classifier.config import TrainConfig
from classifier.folding import with_norms
from classifier.model import build, recipe
from classifier.network import StagedNetwork
from classifier.recipe import BadWeights
from classifier.schedule import Schedule
from classifier.training_set import TrainingSet


@dataclass
class TrainingState:
    """The network and what trains it, after ``step`` steps.

    ``losses`` are those since the last report, and ``excess`` what of them the targets' own doubt
    does not cost, in nats an image. Randomness is drawn anew from the seed at every step.
    """

    network: nn.Module
    optimizer: Optimizer
    schedule: Schedule = field(default_factory=Schedule)
    losses: list[float] = field(default_factory=list)
    excess: list[float] = field(default_factory=list)
    step: int = 0

    @classmethod
    def fresh(cls, config: TrainConfig, data: TrainingSet, pretrained: Path | None) -> Self:
        """Before the first step: weights drawn from the seed, or read from a file, and pixel
        statistics of the data, unless the weights were made for others. Raises BadWeights."""
        network = with_norms(build(config))
        if config.pretrained is not None:
            _start(network, config, pretrained)
        if isinstance(network, StagedNetwork) and network.learns_pixels:
            mean, std = data.channel_statistics()
            network.mean.copy_(torch.from_numpy(mean))
            network.std.copy_(torch.from_numpy(std))
        network.to(device_for(config.device), memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = AdamW(
            [one for one in network.parameters() if one.requires_grad],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=True,
        )
        return cls(network.train(), optimizer)

    def tensors(self) -> dict[str, Tensor]:
        """All that is large, as flat names and tensors on the CPU; the rest is in ``notes``."""
        flat = {f"network.{name}": one for name, one in self.network.state_dict().items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            flat |= {f"optimizer.{index}.{name}": one for name, one in moments.items()}
        return {name: one.cpu().contiguous() for name, one in flat.items()}

    def notes(self) -> dict[str, Any]:
        """What is small: JSON types only."""
        return {
            "step": self.step,
            "losses": self.losses,
            "excess": self.excess,
            "schedule": asdict(self.schedule),
        }

    def restore(self, tensors: dict[str, Tensor], notes: dict[str, Any]) -> None:
        """Go back to where ``tensors`` and ``notes`` were taken."""
        network: dict[str, Tensor] = {}
        moments: dict[int, dict[str, Tensor]] = {}
        parameters = self.optimizer.param_groups[0]["params"]
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
        self.schedule = Schedule(**notes["schedule"])
        self.step, self.losses = notes["step"], list(notes["losses"])
        self.excess = list(notes["excess"])


def _start(network: nn.Module, config: TrainConfig, path: Path | None) -> None:
    """Fill a network from the file that its config names by hash."""
    by = recipe(config.recipe)
    path = path or (by.start_file() if by.start_file else None)
    if by.start is None or path is None:
        raise BadWeights(f"recipe {config.recipe!r} has no pretrained weights to start from")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != config.pretrained:
        raise BadWeights(f"{path}: its SHA-256 is {found}, expected {config.pretrained}")
    by.start(network, path)


def _laid_like(parameter: Tensor, moment: Tensor) -> Tensor:
    """The fused optimizer walks memory: a moment must lie in it as its parameter does."""
    if moment.shape != parameter.shape:
        return moment  # the step counter
    return torch.empty_like(parameter.detach()).copy_(moment)
