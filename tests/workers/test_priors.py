"""Priors: a network speaks only of images that it did not learn from."""

import numpy as np
import pytest

from labelhub.projects.models import Image, Project
from labelhub.rounds.models import ModelVersion, Prediction
from labelhub.rounds.queueing import take_back_gold
from labelhub.votes.models import Retraction, Vote
from tests.factories import NOON
from tests.pictured import striped_project, vote_rightly
from tests.workers.untrained import untrained_version
from workers.datasets import pictures_for
from workers.predicting import predict

pytestmark = pytest.mark.django_db


def spoken_for(project: Project, version: ModelVersion) -> dict[int, bool]:
    """By image without holdout, whether the network that serves gives its prior."""
    images = np.sort(np.array(project.images.values_list("pk", flat=True), dtype=np.int64))
    ranked = predict(
        version=version, pictures=pictures_for(version=version, images=images), images=images
    )
    same = [np.array_equal(*pair) for pair in zip(ranked.served, ranked.priors, strict=True)]
    return dict(zip(images.tolist(), same, strict=True))


def test_what_was_heard_of_an_image_keeps_the_networks_that_learned_it_silent() -> None:
    project = striped_project(images=24, gold_per_class=2)
    vote_rightly(project, 5)
    Retraction.objects.create(vote=Vote.objects.first(), retracted_at=NOON)
    served = spoken_for(project, untrained_version(project))
    known = Image.objects.filter(gold__isnull=False).values_list("pk", flat=True)
    heard = set(Vote.objects.values_list("image_id", flat=True)) | set(known)
    assert len(heard) == 11
    assert {image for image, by_served in served.items() if not by_served} == heard


def test_gold_that_was_taken_back_keeps_the_networks_that_learned_it_silent() -> None:
    project = striped_project(images=24, gold_per_class=2)
    version = untrained_version(project)
    once = project.images.filter(gold__isnull=False).first()
    assert once is not None
    take_back_gold(image=once, now=NOON)
    assert not spoken_for(project, version)[once.pk]


def test_the_holdout_hears_the_average_of_all() -> None:
    project = striped_project(images=24, gold_per_class=0, holdout=True)
    version = untrained_version(project)
    served = spoken_for(project, version)
    held = project.images.filter(holdout=True).values_list("pk", flat=True)
    assert held
    assert not any(served[image] for image in held)
    assert not Prediction.objects.exists()
