"""What a project's settings make of a training."""

import hashlib
from pathlib import Path

from classifier.config import Augmentation, TrainConfig
from classifier.model import configured, recipe
from labelhub.projects.models import Project
from workers.lessons import AUTO, FEATURES, FEW_FOLD_NETWORKS

AUGMENTATIONS: dict[str, Augmentation] = {
    Project.Augmentation.UPRIGHT: Augmentation(),
    Project.Augmentation.MIRRORED: Augmentation(flip=True, cutout=8),
    Project.Augmentation.OUTLINE: Augmentation.outline(),
    Project.Augmentation.NONE: Augmentation.none(),
}
ENOUGH = 0.01  # nats an image: what is left to learn then is not worth the time


def train_config(*, project: Project, classes: int, seed: int) -> TrainConfig:
    """The config of each network of a Round; those trained one by one share the project's minutes.

    Of ``auto`` it is that of ``features``, from which the others are made. Raises ValueError naming
    the file where the project's pretrained weights cannot be read.
    """
    return configured(
        _recipe(project),
        classes=classes,
        image_size=project.image_size,
        channels=project.channels,
        steps=project.training_steps,
        seconds=60 * project.training_minutes / (FEW_FOLD_NETWORKS + 1),
        enough=ENOUGH,
        augmentation=AUGMENTATIONS[project.augmentation],
        pretrained=_hash_of(pretrained_file(project)),
        seed=seed,
    )


def pretrained_file(project: Project) -> Path | None:
    """The file of weights that the project's networks start from: its own, or the recipe's."""
    by = recipe(_recipe(project))
    if by.start is None:
        return None
    if by.start_file is not None:
        return by.start_file()
    return Path(project.pretrained) if project.pretrained else None


def _recipe(project: Project) -> str:
    return FEATURES if project.recipe == AUTO else project.recipe


def _hash_of(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(f"the pretrained weights cannot be read: {error}") from error
