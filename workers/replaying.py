"""Replays: what one of a project's networks makes of one picture, stage by stage."""

import logging

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from torch import nn

from classifier.activations import stages
from classifier.checkpoint import BadCheckpoint
from classifier.compute import cpu_threads
from classifier.config import TrainConfig
from classifier.dataset import prepare_image
from classifier.replay import packed
from labelhub.projects.models import Image, LabelClass
from labelhub.projects.pictures import PictureMissing, PictureRejected, clean, open_full
from labelhub.rounds.models import ModelVersion
from labelhub.rounds.replays import (
    MOST_BYTES,
    Refusal,
    ReplayRefused,
    answer_with,
    picture_sent,
)
from workers.networks import load_network

logger = logging.getLogger(__name__)
# One picture is too little to share out: beside a training on both cores two threads took 315 ms
# for what one does in 25, for each waits at every operation until the other has a core.
THREADS = 1


def answer(*, version_id: int, image_id: int | None, picture: str | None, reply: str) -> None:
    """Send a replay, or the reason why there is none, to the process that asked.

    Of the image, or of the picture in the letter of that name.
    """
    replay: bytes | ReplayRefused
    try:
        replay = _replay(version_id, image_id, picture)
    except ReplayRefused as refused:
        replay = refused
    except Exception:
        words = "The replay failed; the log of the inference worker says why."
        answer_with(reply=reply, replay=ReplayRefused(Refusal.FAILED, words))
        raise
    answer_with(reply=reply, replay=replay)


def _replay(version_id: int, image_id: int | None, picture: str | None) -> bytes:
    version = ModelVersion.objects.select_related("project").filter(pk=version_id).first()
    if version is None:
        raise ReplayRefused(Refusal.GONE, "This version is gone.")
    config = TrainConfig.from_dict(version.config)
    opened = _sent(picture) if picture else _stored(version, image_id or 0)
    pixels = prepare_image(opened, config.image_size, config.channels)
    data = replay_of(version=version, pixels=pixels)
    if len(data) > MOST_BYTES:
        words = f"This network's replay has {len(data):,} bytes, which is too much for a page."
        raise ReplayRefused(Refusal.FAILED, words)
    return data


def replay_of(*, version: ModelVersion, pixels: NDArray[np.uint8]) -> bytes:
    """The packed stages of pixels (H, W, C) in the version's served network, with its names.

    Raises ReplayRefused when the network's file is lost, damaged or another, or says NaN.
    """
    try:
        network = load_network(project=version.project, sha256=version.sha256)
    except BadCheckpoint as error:
        logger.warning("no replay of %s of %s: %s", version, version.project.slug, error)
        words = f"The file of {version} is lost or damaged, so its network cannot be replayed."
        raise ReplayRefused(Refusal.GONE, words) from error
    return _through(network, version, pixels)


def _through(network: nn.Module, version: ModelVersion, pixels: NDArray[np.uint8]) -> bytes:
    names = dict(LabelClass.objects.filter(project=version.project).values_list("pk", "name"))
    about = {
        "version": version.number,
        "sha256": version.sha256,
        "recipe": version.recipe,
        "temperature": version.temperature,
        "classes": [{"id": pk, "name": names.get(pk, "")} for pk in version.label_classes],
    }
    with cpu_threads(THREADS):
        return packed(stages(network, pixels, temperature=version.temperature), about)


def _stored(version: ModelVersion, image_id: int) -> Pillow.Image:
    image = Image.objects.filter(project=version.project, pk=image_id).first()
    if image is None:
        raise ReplayRefused(Refusal.GONE, "This picture is gone.")
    try:
        return open_full(image.sha256)
    except (PictureMissing, OSError) as error:
        words = f"The file of {image.name} is lost or damaged, so it cannot be replayed."
        raise ReplayRefused(Refusal.GONE, words) from error


def _sent(name: str) -> Pillow.Image:
    data = picture_sent(name)
    if data is None:
        raise ReplayRefused(Refusal.FAILED, "The picture took too long to come. Try it again.")
    try:
        return clean(data, "your picture").pixels
    except PictureRejected as error:
        words = str(error)
        raise ReplayRefused(Refusal.PICTURE, f"{words[:1].upper()}{words[1:]}.") from error
