"""Fits a linear head by the likelihood of votes, and the weights by which several heads count."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

RIDGE = 8.0  # nats a unit of squared weight
TURNS = 60  # of L-BFGS: further ones move a probability by 0.001 on average
TURNS_ON = 25  # where a head goes on from an earlier one: as good as TURNS from nothing
OPINION_TURNS = 60
OPINION_STRENGTH = 4.0  # images' worth of belief that the heads count alike and are calibrated
LEAST = 1e-12  # of a target


class Fit(NamedTuple):
    """A linear head over rows of p numbers."""

    weight: Tensor  # (p, K)
    bias: Tensor  # (K,)

    def logits(self, rows: Tensor) -> Tensor:
        """(n, K) of rows (n, p)."""
        return rows @ self.weight + self.bias


def fit_head(rows: Tensor, targets: Tensor, start: Fit | None) -> Fit:
    """The head of least loss plus RIDGE times the squared weights.

    rows (n, p), targets (n, K). From ``start``, or from nothing.
    """
    classes = targets.shape[1]
    begin = start or Fit(torch.zeros(rows.shape[1], classes), torch.zeros(classes))
    weight, bias = begin.weight.clone(), begin.bias.clone()
    log_targets = targets.clamp(min=LEAST).log()

    def loss() -> Tensor:
        logs = functional.log_softmax(rows @ weight + bias, dim=1)
        return weight.square().sum().mul(RIDGE) - (logs + log_targets).logsumexp(1).sum()

    _minimise([weight, bias], loss, TURNS if start is None else TURNS_ON)
    return Fit(weight.detach(), bias.detach())


def fit_opinions(said: Tensor, targets: Tensor) -> Tensor:
    """(blocks,) how much each block counts, from log-softmax (blocks, n, K) out of fold.

    The weights also take the temperature: their sum below one cools overconfident heads.
    """
    logs = torch.full((len(said),), -np.log(len(said)), dtype=torch.float32)
    log_targets = targets.clamp(min=LEAST).log()

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
