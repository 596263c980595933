"""Features that no network reads any more: gigabytes, and they can be made again."""

import logging
import shutil

from classifier.checkpoint import BadCheckpoint
from classifier.recipes.features import FeatureNetwork
from labelhub.projects.models import Project
from labelhub.rounds.models import ModelVersion
from labelhub.rounds.selectors import version_before
from workers.datasets import Pictures
from workers.networks import load_network

logger = logging.getLogger(__name__)


def clear_features(*, project: Project, pictures: Pictures) -> int:
    """Remove the features of all describers but the project's own, that of the version in service,
    and that of the one before, where a rollback goes. Gives how many folders went.

    A version that is older still has its pictures described anew when it is asked.
    """
    folders = pictures.described_by()
    if len(folders) < 2:
        return 0
    needed = {pictures.describer().name, *_names(project)}
    outdated = [folder for name, folder in folders.items() if name not in needed]
    for folder in outdated:
        logger.info("%s is removed: no network reads it any more", folder)
        shutil.rmtree(folder, ignore_errors=True)
    return len(outdated)


def _names(project: Project) -> list[str]:
    """Of the describers of the version in service and the one before."""
    serving = ModelVersion.objects.filter(project=project, serving=True).first()
    before = version_before(serving=serving) if serving else None
    names = []
    for version in (serving, before):
        try:
            network = version and load_network(project=project, sha256=version.sha256)
        except BadCheckpoint as error:
            logger.warning("%s; nobody can serve it", error)
            continue
        if isinstance(network, FeatureNetwork):
            names.append(network.describer.name)
    return names
