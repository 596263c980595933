"""One picture's way through the network, stage by stage, for people to look at."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from classifier.network import StagedNetwork

KINDS: dict[type[nn.Module], str] = {
    nn.Conv2d: "convolution",
    nn.ReLU: "relu",
    nn.MaxPool2d: "pooling",
    nn.Flatten: "flatten",
    nn.Linear: "linear",
}


@dataclass(frozen=True)
class Stage:
    """What came out of one stage.

    kind: input, normalise, convolution, relu, pooling, flatten, linear, logits or softmax.
    values: pixels (H, W, C), feature maps (filters, height, width) or a row (units,); float32.
    """

    name: str
    kind: str
    values: npt.NDArray[np.float32]


def stages(network: nn.Module, image: npt.NDArray[np.uint8]) -> list[Stage]:
    """Every stage from the pixels (H, W, C) uint8 to the softmax, as the network computes them.

    The softmax is at temperature 1. Raises TypeError for a network without named stages.
    """
    if not isinstance(network, StagedNetwork):
        raise TypeError(f"{type(network).__name__} has no named stages to show")
    seen = [Stage("input", "input", image.astype(np.float32))]
    network.eval()
    with torch.inference_mode():
        signal = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]  # (1, C, H, W)
        signal = network.normalise(signal.to(network.mean.device))
        normalised = signal[0].permute(1, 2, 0).cpu().numpy()  # (H, W, C)
        seen.append(Stage("normalise", "normalise", normalised))
        for name, module in network.stages.named_children():
            signal = module(signal)
            kind = "logits" if name == "logits" else _kind(module)
            seen.append(Stage(name, kind, _values(signal[0])))
        seen.append(Stage("softmax", "softmax", _values(signal[0].softmax(dim=0))))
    return seen


def _kind(module: nn.Module) -> str:
    return KINDS.get(type(module), type(module).__name__.lower())


def _values(signal: torch.Tensor) -> npt.NDArray[Any]:
    # A copy: an in-place module further on would write into what was kept.
    return np.array(signal.cpu().numpy(), dtype=np.float32, order="C")
