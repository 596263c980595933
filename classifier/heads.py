"""Trains networks of the ``features`` recipe: convex, in seconds, one for each fold and one of all.

The loss of an image is minus the log of the probability of its votes, sum over k of p(k) P(votes |
k), the marginal likelihood of Raykar et al. 2010 ("Learning From Crowds"): a "no" teaches what it
says and no more, and a certain label is the usual cross-entropy. How much each block's head counts
is fitted on what heads say of images they did not see.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from classifier.config import TrainConfig
from classifier.features import BLOCKS, Describer
from classifier.model import build
from classifier.recipes.features import BlockHead, FeatureNetwork

RIDGE = 8.0  # nats a unit of squared weight
TURNS = 40  # of L-BFGS
LEAST_STD = 1e-3
OPINION_TURNS = 60
OPINION_STRENGTH = 4.0  # images' worth of belief that the heads count alike and are calibrated


@dataclass(frozen=True)
class Statistics:
    """Mean and deviation (FEATURES,) of the features of the whole pool, labelled or not."""

    mean: npt.NDArray[np.float32]
    std: npt.NDArray[np.float32]

    @classmethod
    def of(cls, features: npt.NDArray[np.float16]) -> "Statistics":
        """Over features (n, FEATURES)."""
        wide = features.astype(np.float32)
        return cls(wide.mean(axis=0), wide.std(axis=0) + LEAST_STD)


@dataclass(frozen=True)
class Lessons:
    """What is learned: n images over K classes."""

    features: npt.NDArray[np.float16]  # (n, FEATURES)
    targets: npt.NDArray[np.float64]  # (n, K) likelihood of what was said, rows summing to one
    folds: npt.NDArray[np.int64]  # (n,) 0..k-1


def train_heads(
    config: TrainConfig,
    lessons: Lessons,
    *,
    folds: int,
    describer: Describer,
    statistics: Statistics,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[list[FeatureNetwork], FeatureNetwork]:
    """A network for each fold, trained on the others, and one trained on all.

    The same arguments give the same weights on a CPU. ``on_progress`` hears the share that is done;
    what it raises stops the training and comes out here. Raises ValueError for targets that are not
    finite.
    """
    if not np.isfinite(lessons.targets).all():
        raise ValueError("targets hold NaN or infinity")
    x = torch.from_numpy(lessons.features.astype(np.float32))
    t = torch.from_numpy(lessons.targets).float()
    groups = torch.from_numpy(lessons.folds)
    networks = [_untrained(config, describer, statistics) for _ in range(folds + 1)]
    said = torch.zeros(len(BLOCKS), *t.shape)  # of each image by the heads that did not see it
    done, steps = 0, len(BLOCKS) * (folds + 1)
    for number, block in enumerate(BLOCKS):
        standardised = _head(networks[-1], number).standardised(x[:, block])
        served = _fit(standardised, t, start=None)
        for fold, network in enumerate([*networks[:folds], networks[-1]]):
            seen = groups != fold
            fitted = served if fold == folds else _fit(standardised[seen], t[seen], start=served)
            _put(_head(network, number), fitted)
            if fold < folds:
                weight, bias = fitted
                logits = standardised[~seen] @ weight + bias
                said[number, ~seen] = functional.log_softmax(logits, dim=1)
            done += 1
            if on_progress:
                on_progress(done / steps)
    opinion = _opinions(said, t)
    for network in networks:
        network.get_buffer("opinion").copy_(opinion)
    return networks[:folds], networks[-1]


def _untrained(config: TrainConfig, describer: Describer, statistics: Statistics) -> FeatureNetwork:
    network = build(config)
    if not isinstance(network, FeatureNetwork):
        raise TypeError(f"recipe {config.recipe!r} has no heads on features")
    network.get_buffer("patch_filters").copy_(describer.dictionary.filters)
    network.get_buffer("patch_offsets").copy_(describer.dictionary.offsets)
    for number, block in enumerate(BLOCKS):
        head = _head(network, number)
        head.get_buffer("mean").copy_(torch.from_numpy(statistics.mean[block]))
        head.get_buffer("std").copy_(torch.from_numpy(statistics.std[block]))
    return network.eval()


def _head(network: FeatureNetwork, number: int) -> BlockHead:
    return [head for head in network.heads if isinstance(head, BlockHead)][number]


@torch.no_grad()
def _put(head: BlockHead, fitted: tuple[Tensor, Tensor]) -> None:
    weight, bias = fitted
    head.linear.weight.copy_(weight.T)
    head.linear.bias.copy_(bias)


def _fit(
    x: Tensor, targets: Tensor, *, start: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor]:
    """Weight (d, K) and bias (K,) of least loss plus RIDGE times the squared weights.

    Centring the start on the head of all images changes where the search begins, not where it ends.
    """
    classes = targets.shape[1]
    weight = torch.zeros(x.shape[1], classes) if start is None else start[0].clone()
    bias = torch.zeros(classes) if start is None else start[1].clone()
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
