"""One flat training loop: images and soft labels in, a network out.

On two CPU cores the seed recipe learns six kinds of shapes from 1,800 pictures in about ten
seconds, to 99 % of fresh ones.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from classifier.augment import augment
from classifier.compute import autocast, cpu_threads, device_for
from classifier.config import TrainConfig
from classifier.folding import folded
from classifier.resume import TrainingFile
from classifier.sampling import DrawOrder, draw_shares
from classifier.team import Team
from classifier.training_set import Images, TrainingSet
from classifier.training_state import TrainingState

LARGEST_GRADIENT = 1.0  # norm to which a step's gradient is clipped
REPORTS = 40  # progress reports in one training
SAVES = 10  # times the state is kept in one training
ROUNDING = 1e-9  # of sums of shares


@dataclass(frozen=True)
class Progress:
    """After ``step`` steps, ``done`` (0 to 1) of the training: the mean loss (nats an image) since
    the last report, and the seconds that the rest and the whole take at this pace."""

    step: int
    done: float
    loss: float
    seconds_left: float
    seconds_in_all: float


class NonFiniteLoss(RuntimeError):
    """The loss became NaN or infinite; the network is of no use."""


def train(
    config: TrainConfig,
    images: Images,
    targets: npt.NDArray[Any],
    weights: npt.NDArray[Any],
    *,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoint: Path | None = None,
    pretrained: Path | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> nn.Module:
    """Fit a network to soft labels; the same arguments give the same weights on a CPU, as long as
    no time budget cuts it short.

    images: (n, H, W, C) uint8, read batch by batch. targets: (n, K), rows summing to 1. weights:
    (n,), at least 0: an image counts by its weight through how often it is drawn
    (``sampling.draw_shares``), so no arithmetic is spent on images that say nothing.
    ``on_progress`` is called some forty times; what it raises stops the training and comes out
    here. With ``checkpoint`` the state is kept in that file now and then; the same call after a
    crash goes on from it and ends with the weights that the uninterrupted call would have given.
    The file is removed at the end. ``pretrained`` is the file that ``config.pretrained`` names by
    hash, where it is not the recipe's own. In processes of one ``Team`` each takes its share of
    every batch, and all end with the same weights.

    The loss is the cross-entropy to the soft target, without label smoothing, which would spoil
    the probabilities. Raises ValueError for data that cannot be
    learned from (``TrainingSet``), BadWeights for a file to start from that does not fit,
    NonFiniteLoss when the loss becomes NaN or infinite, OSError when the state cannot be kept.
    """
    data = TrainingSet.checked(config, images, targets, weights)
    file = TrainingFile(checkpoint, data.fingerprint(config)) if checkpoint else None
    with ExitStack() as process:
        process.enter_context(cpu_threads(config.threads))
        process.enter_context(torch.random.fork_rng(devices=[]))  # for recipes with dropout
        fresh = partial(TrainingState.fresh, config, data, pretrained)
        state = file.bring_back(fresh) if file else fresh()
        before = state.schedule.done
        for progress in _steps(config, data, state, clock):
            if on_progress and progress:
                on_progress(progress)
            done = state.schedule.done
            if file and _due(before, done, SAVES) and done < 1:
                file.keep(state)
            before = done
    if file:
        file.remove()
    Team.here().settle(state.network)
    return folded(state.network).eval()


def _steps(
    config: TrainConfig, data: TrainingSet, state: TrainingState, clock: Callable[[], float]
) -> Iterator[Progress | None]:
    """Take ``state`` from its step to the last one, with a report now and then."""
    device, team = device_for(config.device), Team.here()
    share, network = team.share(config.batch_size), state.network
    doubt = data.doubt()  # (images,)
    shares = draw_shares(data.targets, data.weights)  # (images,)
    order = DrawOrder(shares, np.random.default_rng(config.seed))
    generator = torch.Generator()
    while state.schedule.done < 1:
        started = clock()
        first = state.step * config.batch_size
        chosen = order.take(first, first + config.batch_size)[share]  # (batch,)
        seed = team.seed(config.seed, state.step)
        torch.manual_seed(seed)
        pixels = torch.from_numpy(data.images[chosen]).permute(0, 3, 1, 2)  # (batch, C, H, W)
        wanted = torch.from_numpy(data.targets[chosen]).float()  # (batch, classes)
        batch = augment(pixels.to(device), config.augmentation, generator.manual_seed(seed))
        with autocast(device, config.precision):
            logits = network(batch)  # (batch, classes)
        loss = functional.cross_entropy(logits.float(), wanted.to(device))
        state.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        team.average_gradients(network)
        nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
        for group in state.optimizer.param_groups:
            group["lr"] = state.schedule.learning_rate(config)
        state.optimizer.step()
        state.step += 1
        paid = _finite(loss.item(), state.step)
        mean, excess, seconds = team.mean(paid, paid - doubt[chosen].mean(), clock() - started)
        state.losses.append(mean)
        state.excess.append(excess)
        before = state.schedule.done
        state.schedule.advance(config, seconds)
        yield _report(state, config, before)


def _due(before: float, done: float, times: int) -> bool:
    """Whether something that is done so many times in a training is done after a step that brought
    it from one share to the next: by share, for its minutes may end it long before its steps."""
    return int(done * times + ROUNDING) > int(before * times + ROUNDING)


def _finite(loss: float, step: int) -> float:
    if not math.isfinite(loss):
        raise NonFiniteLoss(f"the loss is {loss} at step {step}; try a lower learning_rate")
    return loss


def _report(state: TrainingState, config: TrainConfig, before: float) -> Progress | None:
    """What there is to tell after this step, if it is time; the schedule hears it too."""
    done = state.schedule.done
    if done < 1 and not _due(before, done, REPORTS):
        return None
    loss, excess = (sum(told) / len(told) for told in (state.losses, state.excess))
    state.losses.clear()
    state.excess.clear()
    state.schedule.hear(config, excess)
    schedule = state.schedule
    return Progress(
        state.step, done, loss, schedule.seconds_left, schedule.seconds + schedule.seconds_left
    )
