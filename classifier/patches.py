"""Features learned from the project's own pictures, without a label: a dictionary of patches.

Small patches are whitened and clustered, and a picture is described by how strongly each cluster
answers in each of nine regions (Coates, Ng, Lee 2011, "An Analysis of Single-Layer Networks in
Unsupervised Feature Learning"). It sees strokes and textures at the picture's own scale, where a
network pretrained on photographs sees things: the two err differently, and together a linear head
needs a third fewer labels (docs/benchmarks.md).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

EDGE = 32  # pictures are brought to this edge first
PATCH = 6  # edge of a patch in pixels
WORDS = 400  # clusters
REGIONS = 3  # along one side
SAMPLE = 60_000  # patches that the dictionary is learned from
TURNS = 20  # of clustering
FLAT = 10.0  # added to a patch's variance: patches without a stroke stay near zero
WHITENING = 0.1  # added to each eigenvalue
THRESHOLD = 0.25  # an answer below counts as none
FEATURES = WORDS * REGIONS * REGIONS
BATCH = 64


@dataclass(frozen=True)
class PatchDictionary:
    """``filters`` (d, WORDS) whiten an evenly lit patch (d,) and hold it against each word at once,
    with ``offsets`` (WORDS,) for the mean patch; d = PATCH² · channels."""

    filters: Tensor
    offsets: Tensor

    def describe(self, pixels: Tensor) -> Tensor:
        """Pixels (n, channels, H, W) on the 0..255 scale to features (n, FEATURES)."""
        return functional.adaptive_avg_pool2d(self.answers(pixels), REGIONS).flatten(1)

    def answers(self, pixels: Tensor) -> Tensor:
        """How strongly each word answers at each place: maps (n, WORDS, places down, across)."""
        patches = _patches(_brought(pixels))  # (n, places, d)
        answers = functional.relu(patches @ self.filters - self.offsets)  # (n, places, WORDS)
        side = EDGE - PATCH + 1
        return answers.view(-1, side, side, WORDS).permute(0, 3, 1, 2)


def learn_dictionary(images: npt.NDArray[np.uint8], *, seed: int = 0) -> PatchDictionary:
    """The dictionary of images (n, H, W, C) uint8; the same for the same images and seed.

    Raises ValueError without images.
    """
    if not len(images):
        raise ValueError("there are no pictures to learn a dictionary from")
    generator = torch.Generator().manual_seed(seed)
    sample = _sample(images, generator)  # (SAMPLE, d)
    mean = sample.mean(dim=0)
    covariance = (sample - mean).T @ (sample - mean) / len(sample)
    values, vectors = torch.linalg.eigh(covariance)
    whitener = vectors @ torch.diag((values.clamp(min=0) + WHITENING).rsqrt()) @ vectors.T
    words = _clustered((sample - mean) @ whitener, generator)
    filters = whitener @ words.T  # (d, WORDS)
    return PatchDictionary(filters, mean @ filters + THRESHOLD)


def _brought(pixels: Tensor) -> Tensor:
    """Pixels (n, C, H, W) at EDGE by EDGE."""
    if pixels.shape[-1] == EDGE:
        return pixels.float()
    return functional.interpolate(
        pixels.float(), size=(EDGE, EDGE), mode="bilinear", align_corners=False, antialias=True
    )


def _patches(pixels: Tensor) -> Tensor:
    """Every patch of (n, C, EDGE, EDGE), evenly lit: (n, places, d)."""
    return _even(functional.unfold(pixels, PATCH).transpose(1, 2))


def _even(patches: Tensor) -> Tensor:
    centred = patches - patches.mean(dim=-1, keepdim=True)
    return centred / torch.sqrt(centred.square().mean(dim=-1, keepdim=True) + FLAT)


def _sample(images: npt.NDArray[np.uint8], generator: torch.Generator) -> Tensor:
    """SAMPLE patches, as many from each picture as from any other."""
    each = -(-SAMPLE // len(images))
    places = (EDGE - PATCH + 1) ** 2
    parts = []
    for start in range(0, len(images), BATCH):
        pixels = torch.from_numpy(np.array(images[start : start + BATCH])).permute(0, 3, 1, 2)
        patches = functional.unfold(_brought(pixels), PATCH).transpose(1, 2)  # (n, places, d)
        chosen = torch.randint(places, (len(patches), each), generator=generator)
        index = chosen[:, :, None].expand(-1, -1, patches.shape[2])
        parts.append(patches.gather(1, index).flatten(0, 1))
    return _even(torch.cat(parts)[:SAMPLE])


def _clustered(whitened: Tensor, generator: torch.Generator) -> Tensor:
    """Unit words (WORDS, d) by spherical k-means: each the direction of what it answers most."""
    words = torch.randn(WORDS, whitened.shape[1], generator=generator)
    words = functional.normalize(words, dim=1)
    for _ in range(TURNS):
        answers, nearest = (whitened @ words.T).max(dim=1)
        sums = torch.zeros_like(words).index_add_(0, nearest, answers[:, None] * whitened)
        answered = sums.norm(dim=1, keepdim=True) > 0
        words = torch.where(answered, functional.normalize(sums, dim=1), words)
    return words
