"""Features that no network reads any more: gigabytes, and they can be made again."""

import logging
import shutil
from pathlib import Path

from classifier.ensemble import members_of
from classifier.recipes.features import FeatureNetwork
from labelhub.projects.models import Project
from labelhub.rounds.selectors import serving_version, version_before
from workers.datasets import Pictures
from workers.networks import load_network

logger = logging.getLogger(__name__)


def clear_features(*, project: Project, pictures: Pictures) -> int:
    """Remove the features of all describers but the project's own, that of the version in service,
    and that of the one before, where a rollback goes. Gives how many folders went.

    A version that is older still has its pictures described anew when it is asked. What stands in
    the way is logged: they only take room.
    """
    folders = pictures.described_by()
    if len(folders) < 2:
        return 0
    try:
        needed = {pictures.describer().name, *_names(project)}
        outdated = [folder for name, folder in folders.items() if name not in needed]
        for folder in outdated:
            _remove(folder)
    except (OSError, ValueError) as error:
        logger.warning("features of %s that no network reads stay: %s", project.slug, error)
        return 0
    return len(outdated)


def _remove(folder: Path) -> None:
    """In one step for those who look for it: what is half gone would be taken for whole."""
    logger.info("%s is removed: no network reads it any more", folder)
    aside = folder.with_name(f"removed-{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)  # what a killed worker has left
    folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _names(project: Project) -> list[str]:
    """Of the describers of the version in service and the one before. Raises BadCheckpoint."""
    serving = serving_version(project=project)
    before = version_before(serving=serving) if serving else None
    networks = [
        load_network(project=project, sha256=version.sha256)
        for version in (serving, before)
        if version
    ]
    members = [one for network in networks for one in members_of(network)]
    return [one.describer.name for one in members if isinstance(one, FeatureNetwork)]
