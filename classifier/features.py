"""What a picture is described by before any label is seen: four blocks of numbers, made once.

The first is what a frozen network pretrained on photographs makes of the whole picture, the next
two what it sees where, closely and from afar, and the last the picture's answers to a dictionary
learned from the project's own. Heads on top train in seconds.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from classifier import backbone, patches
from classifier.atomic import replace_file
from classifier.compute import lanes
from classifier.patches import PatchDictionary, learn_dictionary

FEATURES = backbone.FEATURES + patches.FEATURES
BLOCKS = (
    slice(0, backbone.SEEN),
    slice(backbone.SEEN, backbone.SEEN + backbone.WHERE),
    slice(backbone.SEEN + backbone.WHERE, backbone.FEATURES),
    slice(backbone.FEATURES, FEATURES),
)
LARGEST = 65_000.0  # of a float16
BATCH = 32  # pictures at once


class BadDescriber(ValueError):
    """The file holds no dictionary of patches; the message says why."""


@dataclass(frozen=True)
class Describer:
    """Pictures to features; ``name`` is the same only for the same features."""

    dictionary: PatchDictionary

    @cached_property
    def name(self) -> str:
        """A short hash over the backbone's weights, how pictures are brought to it, and the
        dictionary: it names the shards that hold the features."""
        digest = hashlib.sha256(backbone.weights_sha256().encode())
        sizes = (backbone.SMALLEST_EDGE, backbone.LARGEST_EDGE, backbone.TAPPED, patches.EDGE)
        regions = (backbone.PLACED, backbone.REGIONS, backbone.COARSE_EDGE)
        digest.update(repr((*sizes, *regions)).encode())
        for tensor in vars(self.dictionary).values():
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def describe(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float16]:
        """Images (n, H, W, C) uint8 to features (n, FEATURES), n may be 0."""
        starts = range(0, len(images), BATCH)
        described = [np.zeros((0, FEATURES), dtype=np.float16)]
        if len(starts) == 1:
            return self._described(images)
        with lanes(torch.get_num_threads()) as pool:  # a batch a thread
            described += pool.map(
                lambda start: self._described(images[start : start + BATCH]), starts
            )
        return np.concatenate(described)

    def _described(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float16]:
        with torch.inference_mode():
            found = self.features(torch.from_numpy(np.array(images)).permute(0, 3, 1, 2))
            half: npt.NDArray[np.float16] = as_stored(found).numpy()
        return half

    def features(self, pixels: Tensor) -> Tensor:
        """Pixels (n, C, H, W) on the 0..255 scale to features (n, FEATURES)."""
        return self.seen_with(backbone.pretrained().to(pixels.device), pixels)

    def seen_with(self, eye: nn.Module, pixels: Tensor) -> Tensor:
        """The same with the backbone given: who takes the network along takes that too."""
        return torch.cat([eye(coloured(pixels)), self.dictionary.describe(pixels)], dim=1)

    def save(self, path: Path) -> None:
        """Write the dictionary in one step."""
        tensors = {name: tensor.contiguous() for name, tensor in vars(self.dictionary).items()}
        replace_file(path, safetensors.torch.save(tensors))

    @classmethod
    def load(cls, path: Path) -> "Describer":
        """Read what ``save`` wrote. Raises OSError, BadDescriber."""
        data = path.read_bytes()
        try:
            tensors = safetensors.torch.load(data)
            return cls(PatchDictionary(tensors["filters"], tensors["offsets"]))
        except (SafetensorError, KeyError) as error:
            raise BadDescriber(f"{path}: no dictionary of patches ({error})") from error

    @classmethod
    def learned(cls, images: npt.NDArray[np.uint8]) -> "Describer":
        """A describer with a dictionary of images (n, H, W, C) uint8. Raises ValueError without."""
        return cls(learn_dictionary(images))


def coloured(pixels: Tensor) -> Tensor:
    """Pictures (n, 1 or 3, H, W) as the backbone takes them: (n, 3, H, W)."""
    return pixels.expand(-1, 3, -1, -1) if pixels.shape[1] == 1 else pixels


def as_stored(features: Tensor) -> Tensor:
    """Features (n, FEATURES) as their shards keep them, float16: what heads read."""
    return features.clamp(-LARGEST, LARGEST).half()
