"""Where workers keep their files under DATA_DIR."""

import shutil
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


def clear_round_folders() -> int:
    """Remove what a worker killed at the very end has left of Rounds that are over. Gives how many.

    A Round that ranks is published: nobody trains it any more.
    """
    cleared = 0
    for folder in (Path(settings.DATA_DIR) / "rounds").glob("[0-9]*"):
        open_round = Round.objects.filter(pk=int(folder.name))
        if not open_round.exclude(state__in=[*Round.CLOSED, Round.State.RANKING]).exists():
            shutil.rmtree(folder, ignore_errors=True)
            cleared += 1
    return cleared


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
