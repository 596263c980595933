"""``python -m classifier train DATA.npz MODEL``: a network from an array file, with no server.

Under ``torchrun`` every process takes its share of each batch, on a GPU of its own where there are
any: ``torchrun --standalone --nproc-per-node 4 -m classifier train ...``.
"""

import argparse
import hashlib
import os
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import distributed, nn

from classifier import checkpoint
from classifier.atomic import refuse_to_replace
from classifier.calibration import fit_temperature
from classifier.config import Augmentation, TrainConfig
from classifier.dataset import prepare_image
from classifier.evaluation import evaluate
from classifier.model import RECIPES, configured
from classifier.predict import logits, probabilities
from classifier.recipe import BadWeights
from classifier.team import Team
from classifier.train import Progress, train

KEPT_BACK = 0.1  # share of the pictures that the temperature and the scores are of
AUGMENTATIONS = {
    "upright": Augmentation(),
    "mirrored": Augmentation(flip=True, cutout=8),
    "outline": Augmentation.outline(),
    "none": Augmentation.none(),
}
# What numpy raises for files of something else, or that claim more than there is room for.
UNREADABLE = (
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    MemoryError,
    zipfile.BadZipFile,
    TokenError,
)
TRAINED = tuple(name for name in RECIPES if name != "features")


class BadData(ValueError):
    """The array file cannot be learned from; the message names it."""


@dataclass(frozen=True)
class Labelled:
    """Pictures (n, H, W, C) uint8 of one size, their classes (n,), and the classes' names (K,)."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    classes: list[str]

    @classmethod
    def read(cls, path: Path, *, image_size: int, channels: int) -> Self:
        """From a file with ``images`` (n, h, w[, c]) uint8, ``labels`` (n,) and ``classes`` (K,).

        Nothing in it is executed. Raises OSError, BadData.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                images, labels, classes = (file[key] for key in ("images", "labels", "classes"))
        except UNREADABLE as error:
            raise BadData(f"{path}: no array file of images, labels, classes ({error})") from error
        if not all(isinstance(one, np.ndarray) for one in (images, labels, classes)):
            raise BadData(f"{path}: images, labels or classes are no array")
        if classes.ndim != 1:
            raise BadData(f"{path}: classes are no list of names")
        if not _pictures(images):
            raise BadData(
                f"{path}: images are {images.shape} {images.dtype}, not pictures of bytes"
            )
        if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
            raise BadData(f"{path}: there are not as many whole-numbered labels as images")
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(classes):
            raise BadData(f"{path}: labels must lie in 0..{len(classes) - 1}")
        flat = images[..., 0] if images.ndim == 4 and images.shape[3] == 1 else images
        opened = (Image.fromarray(one) for one in flat)
        sized = [prepare_image(one, image_size, channels) for one in opened]
        shape = (len(sized), image_size, image_size, channels)
        pictures = np.array(sized, dtype=np.uint8).reshape(shape)
        return cls(pictures, labels.astype(np.int64), [str(name) for name in classes])


def _pictures(images: npt.NDArray[Any]) -> bool:
    """Whether they are (n, h, w), (n, h, w, 1) or (n, h, w, 3) bytes, h and w at least 1."""
    channels = images.shape[3] if images.ndim == 4 else 1
    fits = images.dtype == np.uint8 and images.ndim in (3, 4) and channels in (1, 3)
    return bool(fits and min(images.shape[1:3]) >= 1)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("data", type=Path, help="an .npz file of images, labels and classes")
    parser.add_argument("model", type=Path, help="the model file to write")
    parser.add_argument("--recipe", choices=TRAINED, default="fast")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--channels", type=int, choices=(1, 3), default=3)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch-size", type=int, help="images a step; the recipe's own otherwise")
    parser.add_argument("--minutes", type=float, help="comes to its end in this time")
    parser.add_argument("--augmentation", choices=AUGMENTATIONS, default="upright")
    parser.add_argument("--pretrained", type=Path, help="weights that resnet starts from")
    parser.add_argument("--seed", type=int, default=0)


def run(options: argparse.Namespace) -> str:
    """Train, measure on a tenth that was kept back, and save. Gives what there is to say at the
    end, nothing in all processes but one. Raises OSError, ValueError, NonFiniteLoss.
    """
    refuse_to_replace(options.model)  # now, not after hours of training
    with _joined() as team:
        data = Labelled.read(options.data, image_size=options.image_size, channels=options.channels)
        order = np.random.default_rng(options.seed).permutation(len(data.labels))
        back, learned = np.split(order, [int(KEPT_BACK * len(order))])
        config = _config(options, len(data.classes))
        targets = np.eye(len(data.classes))[data.labels]
        network = train(
            config, data.images[learned], targets[learned], np.ones(len(learned)),
            on_progress=_said if team.rank == 0 else None, pretrained=options.pretrained,
        )  # fmt: skip
        return _saved(options.model, network, config, data, back) if team.rank == 0 else ""


def leave_a_team(code: int) -> None:
    """End a process that ``torchrun`` has started, at once: torch's own threads abort one that
    takes the interpreter's usual way out, every few times. Another process goes on."""
    if distributed.is_available() and distributed.is_torchelastic_launched():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _config(options: argparse.Namespace, classes: int) -> TrainConfig:
    settings: dict[str, Any] = {}
    if options.batch_size is not None:
        settings["batch_size"] = options.batch_size
    if options.pretrained is not None:
        if RECIPES[options.recipe].start_file is not None:
            other = f"recipe {options.recipe!r} starts from weights of its own"
            raise BadWeights(f"{options.pretrained}: {other}")
        settings["pretrained"] = hashlib.sha256(options.pretrained.read_bytes()).hexdigest()
    return configured(
        options.recipe,
        classes=classes,
        image_size=options.image_size,
        channels=options.channels,
        steps=options.steps,
        seconds=None if options.minutes is None else 60 * options.minutes,
        augmentation=AUGMENTATIONS[options.augmentation],
        seed=options.seed,
        **settings,
    )


def _saved(
    path: Path, network: nn.Module, config: TrainConfig, data: Labelled, back: npt.NDArray[Any]
) -> str:
    said = logits(network, data.images[back])
    targets = np.eye(len(data.classes))[data.labels[back]]
    temperature = fit_temperature(said, targets, np.ones(len(back)))
    scores = evaluate(probabilities(said, temperature), data.labels[back])
    card = {"classes": data.classes, "temperature": temperature, "metrics": scores.to_dict()}
    checkpoint.save(path, network, config, card)
    right = (
        "nothing to measure it on" if scores.accuracy is None else f"{scores.accuracy:.1%} right"
    )
    return f"{path}: {right} of {scores.images} pictures that were kept back"


def _said(progress: Progress) -> None:
    left = f"{progress.seconds_left:.0f} s left"
    print(f"{progress.done:.0%}  loss {progress.loss:.4f}  {left}", file=sys.stderr, flush=True)


@contextmanager
def _joined() -> Iterator[Team]:
    """The team that ``torchrun`` has started this process in, if it has."""
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        yield Team()
        return
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    if torch.cuda.is_available():
        torch.cuda.set_device(distributed.get_node_local_rank())
    try:
        yield Team.here()
        distributed.barrier()  # who leaves first takes the others' connections with it
    finally:
        distributed.destroy_process_group()
