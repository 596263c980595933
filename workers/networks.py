"""The networks of a Round: trained, kept as they finish, published by hash, loaded once."""

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from classifier import checkpoint
from classifier.atomic import replace_file, sync_folder
from classifier.config import TrainConfig
from classifier.train import Progress, train
from classifier.training_set import Images
from labelhub.projects.models import Project
from labelhub.rounds.model_files import model_folder
from labelhub.rounds.selectors import serving_version

logger = logging.getLogger(__name__)


def trained(
    *,
    config: TrainConfig,
    images: Images,
    targets: NDArray[np.float64],
    weights: NDArray[np.float64],
    path: Path,
    card: dict[str, object],
    pretrained: Path | None,
    on_progress: Callable[[Progress], None],
) -> checkpoint.LoadedModel:
    """A network for these labels; one that an interrupted run has finished is taken as it is, if
    its config and its card, which names the snapshot it learned from, are the same.

    images (n, H, W, C), targets (n, K), weights (n,); ``pretrained`` is the file to start from.
    """
    finished = _finished(path, config, card)
    if finished is not None:
        return finished
    network = train(
        config,
        images,
        targets,
        weights,
        on_progress=on_progress,
        checkpoint=path.with_suffix(".unfinished"),
        pretrained=pretrained,
    )
    checkpoint.save(path, network, config, card)
    return checkpoint.load(path)


def _finished(
    path: Path, config: TrainConfig, card: dict[str, object]
) -> checkpoint.LoadedModel | None:
    """What an interrupted run has left, if it is of use."""
    if not path.is_file():
        return None
    try:
        found = checkpoint.load(path)
    except checkpoint.BadCheckpoint as error:
        logger.warning("%s; it is trained again", error)
        return None
    if (found.config, found.card) != (config, card):
        logger.warning("%s is of other labels or settings; it is trained again", path)
        return None
    return found


def publish(*, project: Project, model: checkpoint.LoadedModel, path: Path) -> None:
    """Put a finished network among the project's models, with the file that it needs."""
    if model.common is not None:
        beside = path.with_name(f"{model.common}.safetensors")
        _publish_file(project=project, path=beside, sha256=model.common)
    _publish_file(project=project, path=path, sha256=model.sha256)


def _publish_file(*, project: Project, path: Path, sha256: str) -> None:
    """Put a file there, named by its hash.

    By a link where the file system has links, else by a copy; in one step either way. A damaged one
    of that name makes room. Raises BadCheckpoint for a file that is not the one that was evaluated.
    """
    target = model_folder(project) / f"{sha256}.safetensors"
    data = path.read_bytes()
    if not _is(data, sha256):
        raise checkpoint.BadCheckpoint(f"{path}: it was changed after it was trained")
    try:
        os.link(path, target)
    except FileExistsError:  # each network brings what all have in common
        if not _is(target.read_bytes(), sha256):
            logger.warning("%s was damaged and is replaced", target)
            replace_file(target, data)
    except OSError as error:
        logger.info("%s is copied, not linked: %s", target, error)
        replace_file(target, data)
    sync_folder(target.parent)


def _is(data: bytes, sha256: str) -> bool:
    return hashlib.sha256(data).hexdigest() == sha256


def load_network(*, project: Project, sha256: str) -> nn.Module:
    """A published network; its file must be there and match its hash. Raises BadCheckpoint."""
    return _load(model_folder(project) / f"{sha256}.safetensors", sha256)


def forget_networks() -> None:
    """Read every network from its file anew, as a process does that begins."""
    _load.cache_clear()


def published(*, project: Project, sha256: str) -> checkpoint.LoadedModel:
    """The same anew from its file, with its config and card; nobody else has it."""
    return _from_file(model_folder(project) / f"{sha256}.safetensors", sha256)


def networks_in_service(*, project: Project, label_classes: Sequence[int]) -> list[nn.Module]:
    """The fold networks of the version that serves, then the one that serves; none where there is
    no version, it knows other classes, or a file of it is lost."""
    version = serving_version(project=project)
    if version is None or list(version.label_classes) != list(label_classes):
        return []
    try:
        return [
            load_network(project=project, sha256=sha256)
            for sha256 in [*version.fold_sha256, version.sha256]
        ]
    except checkpoint.BadCheckpoint as error:
        logger.warning("%s; training begins anew", error)
        return []


@lru_cache(maxsize=16)  # a version and its fold networks
def _load(path: Path, sha256: str) -> nn.Module:
    return _from_file(path, sha256).network


def _from_file(path: Path, sha256: str) -> checkpoint.LoadedModel:
    try:
        return checkpoint.load(path, expected_sha256=sha256)
    except FileNotFoundError as error:
        raise checkpoint.BadCheckpoint(f"{path}: there is no such file") from error
