"""ResNet-18: residual blocks in four groups, which can start from weights pretrained elsewhere."""

from collections import OrderedDict
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from classifier.blocks import Average, Residual
from classifier.config import TrainConfig
from classifier.folding import Normed
from classifier.network import StagedNetwork
from classifier.recipe import BadWeights, Recipe

FILTERS = (64, 128, 256, 512)
BLOCKS = 2  # a group
POOLED_FROM = 96  # pixels; smaller pictures keep what a pooling after the stem would lose
PIXEL_MEAN, PIXEL_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of ImageNet
# Where the layers of a group's block lie in torchvision's files.
IN_BLOCK = {"first": ("conv1", "bn1"), "second": ("conv2", "bn2"),
            "shortcut": ("downsample.0", "downsample.1")}  # fmt: skip


def build(config: TrainConfig) -> StagedNetwork:
    """Build it untrained (He et al. 2016, "Deep Residual Learning for Image Recognition")."""
    stages: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(config.channels, FILTERS[0], 7, 2, padding=3), relu1=nn.ReLU()
    )
    if config.image_size >= POOLED_FROM:
        stages["pool1"] = nn.MaxPool2d(3, 2, padding=1)
    inputs = FILTERS[0]
    for group, filters in enumerate(FILTERS, start=1):
        for block in range(BLOCKS):
            stride = 2 if group > 1 and block == 0 else 1
            stages[f"layer{group}_{block}"] = Residual(inputs, filters, stride)
            inputs = filters
    stages["average"] = Average()  # (n, 512)
    stages["logits"] = nn.Linear(inputs, config.classes)
    return StagedNetwork(config.channels, stages)


def start(network: nn.Module, path: Path) -> None:
    """Fill all but the logits from a safetensors file with the keys of torchvision's resnet18.

    They were made for pixels of ImageNet's mean and deviation, which the network takes over; a grey
    one takes the sum of the first filters over the colours. Raises BadWeights, OSError.
    """
    try:
        stored = safetensors.torch.load(path.read_bytes())
    except SafetensorError as error:
        raise BadWeights(f"{path}: no whole safetensors file ({error})") from error
    for name, module in network.named_modules():
        if isinstance(module, Normed):
            _fill(module, stored, *_keys(name), path=path)
    if isinstance(network, StagedNetwork):
        for own, theirs in ((network.mean, PIXEL_MEAN), (network.std, PIXEL_STD)):
            told = torch.tensor(theirs)
            own.copy_(told if len(own) == len(told) else told.mean())
        network.learns_pixels = False


def _keys(name: str) -> tuple[str, str]:
    """Of a layer's name here, those of its convolution and of its normalisation there."""
    stage, *inside = name.removeprefix("stages.").split(".")
    if not inside:
        return "conv1", "bn1"
    group, _, block = stage.removeprefix("layer").partition("_")
    convolution, norm = IN_BLOCK[inside[0]]
    return f"layer{group}.{block}.{convolution}", f"layer{group}.{block}.{norm}"


@torch.no_grad()
def _fill(
    layer: Normed, stored: dict[str, Tensor], convolution: str, norm: str, *, path: Path
) -> None:
    targets = {f"{convolution}.weight": layer.convolution.weight} | {
        f"{norm}.{name}": getattr(layer.norm, name)
        for name in ("weight", "bias", "running_mean", "running_var")
    }
    for key, target in targets.items():
        if key not in stored:
            raise BadWeights(f"{path}: it has no {key!r}, as torchvision's resnet18 has")
        found = stored[key].float()
        if key == "conv1.weight" and target.shape[1] == 1 and found.ndim == 4:
            found = found.sum(dim=1, keepdim=True)
        if found.shape != target.shape:
            shapes = f"{tuple(found.shape)}, not {tuple(target.shape)}"
            raise BadWeights(f"{path}: its {key!r} is {shapes}")
        if not torch.isfinite(found).all():
            raise BadWeights(f"{path}: its {key!r} holds NaN or infinity")
        target.copy_(found)


RESNET = Recipe(
    build, "ResNet-18, from the beginning or from weights of your own",
    learning_rate=1e-3, start=start,
)  # fmt: skip
