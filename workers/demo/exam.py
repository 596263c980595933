"""How often the network in service is right on shapes that nobody has ever labelled."""

import numpy as np

from classifier.predict import logits
from fixtures.shapes import ShapeSet
from labelhub.projects.models import LabelClass, Project
from labelhub.rounds.selectors import serving_version
from workers.networks import load_network


def accuracy_on(*, project: Project, fresh: ShapeSet) -> float | None:
    """The share of fresh pictures whose most probable class is the true one.

    None while no version serves.
    """
    version = serving_version(project=project)
    if version is None:
        return None
    keys = dict(LabelClass.objects.filter(project=project).values_list("pk", "key"))
    of_output = np.array([keys[pk] for pk in version.label_classes])
    network = load_network(project=project, sha256=version.sha256)
    said = of_output[logits(network, fresh.images).argmax(axis=1)]
    shown = np.array(fresh.classes)[fresh.labels]
    return float((said == shown).mean())
