"""One flat training loop: images and soft labels in, a network out.

On two CPU cores the seed recipe learns six kinds of shapes from 1,800 pictures in about ten
seconds, to 99 % of fresh ones.
"""

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from classifier.augment import augment
from classifier.compute import cpu_threads, device_for
from classifier.config import TrainConfig
from classifier.folding import folded
from classifier.resume import TrainingFile
from classifier.sampling import draw_order, draw_shares
from classifier.training_set import TrainingSet
from classifier.training_state import TrainingState

WARM_UP = 0.15  # share of the steps in which the learning rate climbs
LARGEST_GRADIENT = 1.0  # norm to which a step's gradient is clipped
REPORTS = 40  # progress reports in one training
SAVES = 10  # times the state is kept in one training


@dataclass(frozen=True)
class Progress:
    """After ``step`` of ``steps``: the mean loss (nats an image) since the last report."""

    step: int
    steps: int
    loss: float


class NonFiniteLoss(RuntimeError):
    """The loss became NaN or infinite; the network is of no use."""


def train(
    config: TrainConfig,
    images: npt.NDArray[np.uint8],
    targets: npt.NDArray[Any],
    weights: npt.NDArray[Any],
    *,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoint: Path | None = None,
) -> nn.Module:
    """Fit a network to soft labels; the same arguments give the same weights on a CPU.

    images: (n, H, W, C) uint8. targets: (n, K), rows summing to 1. weights: (n,), at least 0: an
    image counts by its weight through how often it is drawn (``sampling.draw_shares``), so no
    arithmetic is spent on images that say nothing. ``on_progress`` is called some forty times;
    what it raises stops the training and comes out here. With ``checkpoint`` the state is kept in
    that file now and then; the same call after a crash goes on from it and ends with the weights
    that the uninterrupted call would have given. The file is removed at the end.

    The loss is the cross-entropy to the soft target, without label smoothing, which would spoil
    the probabilities. Raises ValueError for data that cannot be learned from (``TrainingSet``),
    NonFiniteLoss when the loss becomes NaN or infinite, OSError when the state cannot be kept.
    """
    data = TrainingSet.checked(config, images, targets, weights)
    file = TrainingFile(checkpoint, data.fingerprint(config)) if checkpoint else None
    with ExitStack() as process:
        process.enter_context(cpu_threads(config.threads))
        process.enter_context(torch.random.fork_rng(devices=[]))
        torch.manual_seed(config.seed)  # for recipes with dropout; forked, so nobody else's
        state = TrainingState.fresh(config, data)
        if file:
            file.bring_back(state)
        _loop(config, data, state, on_progress, file)
    if file:
        file.remove()
    return folded(state.network).eval()


def _loop(
    config: TrainConfig,
    data: TrainingSet,
    state: TrainingState,
    on_progress: Callable[[Progress], None] | None,
    file: TrainingFile | None,
) -> None:
    """Take ``state`` from its step to the last one."""
    device = device_for(config.device)
    shares = draw_shares(data.targets, data.weights)  # (images,)
    order = draw_order(shares, config.steps * config.batch_size, np.random.default_rng(config.seed))
    report_every, save_every = -(-config.steps // REPORTS), -(-config.steps // SAVES)
    for step in range(state.step, config.steps):
        chosen = order[step * config.batch_size : (step + 1) * config.batch_size]  # (batch,)
        pixels = torch.from_numpy(data.images[chosen]).permute(0, 3, 1, 2)  # (batch, C, H, W)
        targets = torch.from_numpy(data.targets[chosen]).float()  # (batch, classes)
        batch = augment(pixels.to(device), config.augmentation, state.generator)
        loss = functional.cross_entropy(state.network(batch), targets.to(device))
        state.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(state.network.parameters(), LARGEST_GRADIENT)
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate(step, config)
        state.optimizer.step()
        state.step = step + 1
        state.losses.append(_finite(loss.item(), step))
        if state.step % report_every == 0 or state.step == config.steps:
            _report(state, config, on_progress)
        if file and state.step % save_every == 0 and state.step < config.steps:
            file.keep(state)


def learning_rate(step: int, config: TrainConfig) -> float:
    """One cycle: a straight climb to the peak, then half a cosine down to nearly zero.

    Smith and Topin 2018, "Super-Convergence", with the cosine of Loshchilov and Hutter 2017.
    """
    climb = max(1, round(config.steps * WARM_UP))
    if step < climb:
        return config.learning_rate * (step + 1) / climb
    done = (step - climb + 1) / (config.steps - climb + 1)
    return config.learning_rate * (0.5 + 0.5 * math.cos(math.pi * done))


def _finite(loss: float, step: int) -> float:
    if not math.isfinite(loss):
        raise NonFiniteLoss(f"the loss is {loss} at step {step + 1}; try a lower learning_rate")
    return loss


def _report(
    state: TrainingState, config: TrainConfig, on_progress: Callable[[Progress], None] | None
) -> None:
    mean = sum(state.losses) / len(state.losses)
    state.losses.clear()
    if on_progress:
        on_progress(Progress(state.step, config.steps, mean))
