"""Where workers keep their files under DATA_DIR."""

from pathlib import Path

from django.conf import settings

from labelhub.projects.models import Project
from labelhub.rounds.models import Round


def shard_folder(project: Project, image_size: int, channels: int) -> Path:
    """Memory-mapped pictures of a project at the size that a network sees."""
    name = f"{image_size}x{channels}"
    return _made(Path(settings.DATA_DIR) / "shards" / str(project.pk) / name)


def round_folder(training: Round) -> Path:
    """What a Round has made so far, so that a restart goes on from there. Removed at its end."""
    return _made(Path(settings.DATA_DIR) / "rounds" / str(training.pk))


def model_folder(project: Project) -> Path:
    """Networks that were published, each named by the hash of its file."""
    return _made(Path(settings.DATA_DIR) / "models" / str(project.pk))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
