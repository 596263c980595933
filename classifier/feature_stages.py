"""How a network on frozen features comes to its word, stage by stage.

The picture goes two ways: through the pretrained backbone, closely and from afar, and past a
dictionary of patches. A head reads each block of what comes of it, one more reads the picture's
place in the pool, and the logits are their opinions, weighed.
"""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from classifier import backbone
from classifier.features import Describer, as_stored, coloured
from classifier.stages import LOGITS, Stage, Window, kept, pair

OPINIONS = ("whole", "where", "afar", "patches", "place")  # of each head, by what it reads


class OnFeatures(Protocol):
    """What is asked of the network."""

    heads: nn.ModuleList

    @property
    def describer(self) -> Describer: ...

    def get_buffer(self, target: str) -> Tensor: ...

    def read(self, features: Tensor) -> list[Tensor]: ...


def feature_stages(network: OnFeatures, pixels: Tensor) -> list[Stage]:
    """Of one picture (1, C, H, W): what is seen, what each head makes of it, and the logits.

    Features are rounded as the shards keep them, since that is what a ranking reads.
    """
    sees = backbone.pretrained().to(pixels.device)
    close = sees.look_closely(coloured(pixels))
    afar = sees.look_from_afar(coloured(pixels))
    dictionary = network.describer.dictionary
    answers = dictionary.answers(pixels)
    features = torch.cat([sees.described(close, afar), dictionary.describe(pixels)], dim=1)
    rows = network.read(as_stored(features).float())
    said = [
        functional.log_softmax(head(row), dim=1)[0]
        for head, row in zip(network.heads, rows, strict=True)
    ]  # of (classes,)
    opinion = network.get_buffer("opinion")
    logits = torch.einsum("b,bk->k", opinion, torch.stack(said))
    return [
        *_closely(sees, close),
        Stage("seen from afar", "normalise", kept(afar.pixels[0].permute(1, 2, 0))),
        Stage("parts from afar", "block", kept(afar.maps[backbone.PLACED][0])),
        Stage("patches", "convolution", kept(answers[0])),
        Stage("features", "flatten", kept(features[0])),
        Stage("place in the pool", "linear", kept(rows[-1][0])),
        *(
            Stage(f"opinion: {name}", "opinion", kept(one.exp()), counts=float(weight))
            for name, one, weight in zip(OPINIONS, said, opinion, strict=True)
        ),
        Stage(LOGITS, LOGITS, kept(logits)),
    ]


def _closely(sees: backbone.Backbone, close: backbone.Look) -> Iterator[Stage]:
    """The way through the backbone."""
    yield Stage("normalise", "normalise", kept(close.pixels[0].permute(1, 2, 0)))
    yield Stage("stem", "convolution", kept(close.stem[0]), _stem_window(sees, close))
    for number, maps in enumerate(close.maps, start=1):
        yield Stage(f"stage{number}", "block", kept(maps[0]))
    bias = torch.zeros(backbone.HEAD) if sees.head.bias is None else sees.head.bias
    window = Window((1, 1), (1, 1), (0, 0), 1, kept(sees.head.weight), kept(bias), "relu6")
    yield Stage("head", "convolution", kept(sees.headed(close)[0]), window)


def _stem_window(sees: backbone.Backbone, close: backbone.Look) -> Window:
    stem = sees.stem
    above = stem.missing(close.pixels.shape[-1]) // 2
    bias = torch.zeros(stem.out_channels) if stem.bias is None else stem.bias
    kernel, stride = pair(stem.kernel_size), pair(stem.stride)
    weights = kept(stem.weight)
    return Window(kernel, stride, (above, above), stem.groups, weights, kept(bias), "relu6")
