"""Trains networks of the ``features`` recipe: convex, in seconds, one for each fold and one of all.

The loss of an image is minus the log of the probability of its votes, sum over k of p(k) P(votes |
k), the marginal likelihood of Raykar et al. 2010 ("Learning From Crowds"): a "no" teaches what it
says and no more, and a certain label is the usual cross-entropy. How much each block's head counts
is fitted on what heads say of images they did not see.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from classifier.config import TrainConfig
from classifier.features import Describer
from classifier.manifold import COORDINATES
from classifier.model import build
from classifier.pool import Pool
from classifier.recipes.features import OPINIONS, FeatureNetwork

RIDGE = 8.0  # nats a unit of squared weight
TURNS = 60  # of L-BFGS: further ones move a probability by 0.001 on average
OPINION_TURNS = 60
OPINION_STRENGTH = 4.0  # images' worth of belief that the heads count alike and are calibrated
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
    on_progress: Callable[[float], None] | None = None,
) -> tuple[list[FeatureNetwork], FeatureNetwork]:
    """A network for each fold, trained on the others, and one trained on all.

    No head of a fold's network has seen a label of that fold, for all begin at zero. How the heads
    are weighed is fitted on the other folds, whose heads have seen this one. The same arguments
    give the same weights on a CPU. ``on_progress`` hears the share that is done; what it raises
    stops the training and comes out here. Raises ValueError for targets that are not finite.
    """
    if not np.isfinite(lessons.targets).all():
        raise ValueError("targets hold NaN or infinity")
    networks = [_untrained(config, describer, pool) for _ in range(folds + 1)]
    read = _narrowed(networks[-1], pool, lessons)
    t = torch.from_numpy(lessons.targets).float()
    groups = torch.from_numpy(lessons.folds)
    said = torch.zeros(OPINIONS, *t.shape)  # of each image by the heads that did not see it
    done, steps = 0, OPINIONS * (folds + 1)
    for number, line in enumerate(read):
        for fold, network in enumerate(networks):  # the last sees every fold
            seen = groups != fold
            weight, bias = _fit(line.rows[seen], t[seen])
            if fold < folds:
                logits = line.rows[~seen] @ weight + bias
                said[number, ~seen] = functional.log_softmax(logits, dim=1)
            line.put(network.heads[number], weight, bias)
            done += 1
            if on_progress:
                on_progress(done / steps)
    for fold, network in enumerate(networks):
        seen = groups != fold
        network.get_buffer("opinion").copy_(_opinions(said[:, seen], t[seen]))
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

    @classmethod
    def room(cls, pool: Pool, number: int, images: int) -> "_Narrowed":
        """Not yet filled, for what the head of this number reads of so many images."""
        if number == len(pool.directions):  # the place in the pool: few numbers already
            centre, axes = torch.zeros(COORDINATES), torch.eye(COORDINATES)
        else:
            centre, axes = pool.directions[number].centre, pool.directions[number].axes
        return cls(torch.empty(images, axes.shape[1]), centre, axes)

    @torch.no_grad()
    def put(self, head: nn.Module, weight: Tensor, bias: Tensor) -> None:
        """Give a head the weight (p, K) and bias (K,) that were fitted on the narrowed rows."""
        if not isinstance(head, nn.Linear):
            raise TypeError(f"{head} is no linear head")
        wide = self.axes @ weight  # (d, K)
        head.weight.copy_(wide.T)
        head.bias.copy_(bias - self.centre @ wide)


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


def _fit(x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Weight (d, K) and bias (K,) of least loss plus RIDGE times the squared weights."""
    classes = targets.shape[1]
    weight, bias = torch.zeros(x.shape[1], classes), torch.zeros(classes)
    log_targets = targets.clamp(min=1e-12).log()

    def loss() -> Tensor:
        likelihood = (functional.log_softmax(x @ weight + bias, dim=1) + log_targets).logsumexp(1)
        penalty = weight.square().sum().mul(RIDGE)
        return penalty - likelihood.sum()

    _minimise([weight, bias], loss, TURNS)
    return weight.detach(), bias.detach()


def _opinions(said: Tensor, targets: Tensor) -> Tensor:
    """(blocks,) how much each block counts, from log-softmax (blocks, n, K) out of fold.

    The weights also take the temperature: their sum below one cools overconfident heads.
    """
    logs = torch.full((len(said),), -np.log(len(said)), dtype=torch.float32)
    log_targets = targets.clamp(min=1e-12).log()

    def loss() -> Tensor:
        mixed = torch.einsum("b,bnk->nk", logs.exp(), said)
        likelihood = (functional.log_softmax(mixed, dim=1) + log_targets).logsumexp(1).sum()
        total = logs.logsumexp(0)
        uneven = (logs - total + np.log(len(said))).square().sum()
        pull: Tensor = total.square() + uneven
        return pull * (OPINION_STRENGTH / 2) - likelihood

    _minimise([logs], loss, OPINION_TURNS)
    return logs.detach().exp()


def _minimise(values: Sequence[Tensor], loss: Callable[[], Tensor], turns: int) -> None:
    """L-BFGS (Liu and Nocedal 1989) until it no longer gains, at most so many turns."""
    for value in values:
        value.requires_grad_()
    search: Any = torch.optim.LBFGS(
        values, max_iter=turns, history_size=8, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        search.zero_grad()
        found = loss()
        found.backward()  # type: ignore[no-untyped-call]
        return found

    search.step(closure)
