"""Trains networks of the ``features`` recipe: in seconds, one for each fold and one of all.

The loss of an image is minus the log of the probability of its votes, sum over k of p(k) P(votes |
k), the marginal likelihood of Raykar et al. 2010 ("Learning From Crowds"): a "no" teaches what it
says and no more, and a certain label is the usual cross-entropy. How much each block's head counts
is fitted on what heads say of images they did not see.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from classifier.config import TrainConfig
from classifier.features import Describer
from classifier.fitting import Fit, fit_head, fit_opinions
from classifier.manifold import COORDINATES
from classifier.model import build
from classifier.pool import Pool
from classifier.recipes.features import OPINIONS, FeatureNetwork

BATCH = 2048  # images whose features are read at once


class Features(Protocol):
    """Features of n images, read by slices: an array, or what is read from disk piece by piece."""

    def __getitem__(self, rows: slice, /) -> npt.NDArray[np.float16]:
        """(rows, FEATURES) of these."""


@dataclass(frozen=True)
class Lessons:
    """What is learned: n images over K classes."""

    features: Features  # n
    targets: npt.NDArray[np.float64]  # (n, K) likelihood of what was said, rows summing to one
    folds: npt.NDArray[np.int64]  # (n,) 0..k-1


def train_heads(
    config: TrainConfig,
    lessons: Lessons,
    *,
    folds: int,
    describer: Describer,
    pool: Pool,
    earlier: Sequence[FeatureNetwork] = (),
    on_progress: Callable[[float], None] | None = None,
) -> tuple[list[FeatureNetwork], FeatureNetwork]:
    """A network for each fold, trained on the others, and one trained on all.

    Each goes on from its own among the ``earlier`` ones, a version's in the order they are given
    here, which must be of the same folds; without them from nothing. So no head of a fold's network
    has seen a label of that fold; how they are weighed is fitted on the others, whose heads have.
    The same arguments give the same weights on a CPU. ``on_progress`` hears the share that is done;
    what it raises stops the training and comes out here. Raises ValueError for targets that are not
    finite.
    """
    if not np.isfinite(lessons.targets).all():
        raise ValueError("targets hold NaN or infinity")
    networks = [_untrained(config, describer, pool) for _ in range(folds + 1)]
    lines = _narrowed(networks[-1], pool, lessons)
    targets = torch.from_numpy(lessons.targets).float()
    groups = torch.from_numpy(lessons.folds)
    said = torch.zeros(OPINIONS, *targets.shape)  # of each image by the heads that did not see it
    done, steps = 0, OPINIONS * (folds + 1)
    for number, line in enumerate(lines):
        for fold, network in enumerate(networks):  # the last sees every fold
            seen = groups != fold
            start = line.start(earlier[fold], number) if earlier else None
            fit = fit_head(line.rows[seen], targets[seen], start)
            said[number, ~seen] = functional.log_softmax(fit.logits(line.rows[~seen]), dim=1)
            line.put(network.heads[number], fit)
            done += 1
            if on_progress:
                on_progress(done / steps)
    for fold, network in enumerate(networks):
        network.weigh(fit_opinions(said[:, groups != fold], targets[groups != fold]))
    return networks[:folds], networks[-1]


def _untrained(config: TrainConfig, describer: Describer, pool: Pool) -> FeatureNetwork:
    network = build(config)
    if not isinstance(network, FeatureNetwork):
        raise TypeError(f"recipe {config.recipe!r} has no heads on features")
    network.see(describer, pool)
    return network.eval()


@dataclass(frozen=True)
class _Narrowed:
    """Rows (n, p) of what a head reads, along the few directions in which pictures differ.

    A head of least squared weights has none across them, so that fitting p weights a class is
    fitting them all, but for what little lies beyond the principal ones.
    """

    rows: Tensor
    centre: Tensor  # (d,)
    axes: Tensor  # (d, p)
    places: Tensor | None = None  # of the pool's landmarks, where these are what is read

    @classmethod
    def room(cls, pool: Pool, number: int, images: int) -> "_Narrowed":
        """Not yet filled, for what the head of this number reads of so many images."""
        if number == len(pool.directions):  # the place in the pool: few numbers already
            rows, places = torch.empty(images, COORDINATES), pool.manifold.places.half()
            return cls(rows, torch.zeros(COORDINATES), torch.eye(COORDINATES), places)
        centre, axes = pool.directions[number].centre, pool.directions[number].axes
        return cls(torch.empty(images, axes.shape[1]), centre, axes)

    @torch.no_grad()
    def start(self, earlier: FeatureNetwork, number: int) -> Fit | None:
        """What says on the narrowed rows what that head of an earlier network says on the wide
        ones; nothing where the places that it reads are those of another pool."""
        head = earlier.heads[number]
        if not isinstance(head, nn.Linear):
            raise TypeError(f"{head} is no linear head")
        if self.places is not None and not torch.equal(self.places, earlier.get_buffer("places")):
            return None
        wide = head.weight.T  # (d, K)
        return Fit(self.axes.T @ wide, head.bias + self.centre @ wide)

    @torch.no_grad()
    def put(self, head: nn.Module, fit: Fit) -> None:
        """Give a head what was fitted on the narrowed rows."""
        if not isinstance(head, nn.Linear):
            raise TypeError(f"{head} is no linear head")
        wide = self.axes @ fit.weight  # (d, K)
        head.weight.copy_(wide.T)
        head.bias.copy_(fit.bias - self.centre @ wide)


@torch.no_grad()
def _narrowed(network: FeatureNetwork, pool: Pool, lessons: Lessons) -> list[_Narrowed]:
    """What each head reads of all images, narrowed batch by batch: wide rows of all of them would
    fill the memory."""
    images = len(lessons.targets)
    lines = [_Narrowed.room(pool, number, images) for number in range(OPINIONS)]
    for start in range(0, images, BATCH):
        here = slice(start, min(start + BATCH, images))
        wide = torch.from_numpy(lessons.features[here].astype(np.float32))
        for line, rows in zip(lines, network.read(wide), strict=True):
            line.rows[here] = (rows - line.centre) @ line.axes
    return lines
