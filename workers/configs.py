"""What a project's settings make of a training."""

import hashlib
from pathlib import Path

from classifier.config import Augmentation, TrainConfig
from classifier.model import configured, recipe
from labelhub.projects.models import Project

AUGMENTATIONS: dict[str, Augmentation] = {
    Project.Augmentation.UPRIGHT: Augmentation(),
    Project.Augmentation.MIRRORED: Augmentation(flip=True, cutout=8),
    Project.Augmentation.OUTLINE: Augmentation.outline(),
    Project.Augmentation.NONE: Augmentation.none(),
}
ENOUGH = 0.01  # nats an image: what is left to learn then is not worth the time


def train_config(*, project: Project, classes: int, networks: int, seed: int) -> TrainConfig:
    """The config of each of so many networks, which share the project's minutes.

    Raises ValueError naming the file where the project's pretrained weights cannot be read.
    """
    return configured(
        project.recipe,
        classes=classes,
        image_size=project.image_size,
        channels=project.channels,
        steps=project.training_steps,
        seconds=60 * project.training_minutes / networks,
        enough=ENOUGH,
        augmentation=AUGMENTATIONS[project.augmentation],
        pretrained=_hash_of(pretrained_file(project)),
        seed=seed,
    )


def pretrained_file(project: Project) -> Path | None:
    """The file of weights that the project's networks start from: its own, or the recipe's."""
    by = recipe(project.recipe)
    if by.start is None:
        return None
    if project.pretrained:
        return Path(project.pretrained)
    return by.start_file() if by.start_file else None


def _hash_of(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(f"the pretrained weights cannot be read: {error}") from error
