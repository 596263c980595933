"""What a network's stages are, and what comes out of each for one picture.

A network says what its stages are by a method ``staged``; a row of named modules needs none.
"""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from classifier.network import StagedNetwork

LOGITS = "logits"
KINDS: dict[type[nn.Module], str] = {
    nn.Conv2d: "convolution",
    nn.BatchNorm2d: "normalise",
    nn.ReLU: "relu",
    nn.MaxPool2d: "pooling",
    nn.AvgPool2d: "pooling",
    nn.AdaptiveAvgPool2d: "pooling",
    nn.Flatten: "flatten",
    nn.Linear: "linear",
    nn.Sequential: "block",
}
Pair = tuple[int, int]  # down, across


@dataclass(frozen=True)
class Window:
    """Which patch of the stage before makes a cell of a map, and by what arithmetic.

    The cell (row, column) reads ``kernel`` cells from (row · stride - padding) on, zeros beyond the
    edge. Of a convolution, filter f is ``bias[f]`` and the sum over ``weights[f]`` times the
    patch, and ``then``, if that is said, what else is done to it in the same stage; without weights
    it is what the kind of the stage says (the largest, the mean).
    """

    kernel: Pair
    stride: Pair
    padding: Pair  # above and to the left
    groups: int = 1
    weights: npt.NDArray[np.float32] | None = None  # (filters, channels / groups, *kernel)
    bias: npt.NDArray[np.float32] | None = None  # (filters,)
    then: str = ""


@dataclass(frozen=True)
class Stage:
    """What came out of one stage.

    kind: input, resized, normalise, convolution, relu, pooling, flatten, linear, block, opinion,
    logits, softmax, or a module's own. values: pixels (H, W, C) of the first three kinds, feature
    maps (filters, height, width) or a row (units,); float32. window: where a cell comes from, if
    that is one patch of the stage before. counts: of an opinion, how much it weighs.
    """

    name: str
    kind: str
    values: npt.NDArray[np.float32]
    window: Window | None = None
    counts: float | None = None


@runtime_checkable
class Staged(Protocol):
    """A network that says itself what its stages are."""

    def staged(self, pixels: Tensor) -> list[Stage]:
        """Of one picture (1, C, H, W) uint8: what comes after the input, the logits last, as the
        network's own forward pass computes them. Called in inference mode."""


def through(network: nn.Module, pixels: Tensor) -> list[Stage]:
    """The stages after the input of one picture (1, C, H, W), up to the logits: what a network of
    several members shows of each. One that names no stages shows its logits alone."""
    if isinstance(network, Staged):
        return network.staged(pixels)
    if isinstance(network, StagedNetwork):
        return _in_a_row(network, pixels)
    return [Stage(LOGITS, LOGITS, kept(network(pixels)[0]))]


def _in_a_row(network: StagedNetwork, pixels: Tensor) -> list[Stage]:
    signal = network.normalise(pixels)
    seen = [Stage("normalise", "normalise", kept(signal[0].permute(1, 2, 0)))]  # (H, W, C)
    for name, module in network.stages.named_children():
        window = _window(module, signal)
        signal = module(signal)
        kind = LOGITS if name == LOGITS else _kind(module)
        seen.append(Stage(name, kind, kept(signal[0]), window))
    return seen


def _kind(module: nn.Module) -> str:
    """By the nearest kind of module that has a word; else by its own name."""
    words = (KINDS[one] for one in type(module).__mro__ if one in KINDS)
    return next(words, type(module).__name__.lower())


@runtime_checkable
class PaddedBySize(Protocol):
    """A convolution that adds zeros by the size of what it reads."""

    def missing(self, side: int) -> int:
        """How many zeros are added along a side; the odd one at its end."""


def _window(module: nn.Module, before: Tensor) -> Window | None:
    """Of a convolution or a pooling whose patches are plain rectangles; else None."""
    if not isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        return None
    if isinstance(module, nn.Conv2d | nn.MaxPool2d) and pair(module.dilation) != (1, 1):
        return None
    kernel = pair(module.kernel_size)
    stride = pair(module.stride or kernel)
    if not isinstance(module, nn.Conv2d):
        return Window(kernel, stride, pair(module.padding))
    if isinstance(module, PaddedBySize):
        down, across = before.shape[2:]
        padding = (module.missing(down) // 2, module.missing(across) // 2)
    elif isinstance(module.padding, str):
        same = module.padding == "same"
        padding = ((kernel[0] - 1) // 2, (kernel[1] - 1) // 2) if same else (0, 0)
    else:
        padding = pair(module.padding)
    bias = torch.zeros(module.out_channels) if module.bias is None else module.bias
    return Window(kernel, stride, padding, module.groups, kept(module.weight), kept(bias))


def pair(value: int | tuple[int, ...]) -> Pair:
    """Torch's "one number for both ways, or two"."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def kept(signal: Tensor) -> npt.NDArray[Any]:
    """A copy as float32: an in-place module further on would write into what was kept."""
    return np.array(signal.detach().cpu().numpy(), dtype=np.float32, order="C")
