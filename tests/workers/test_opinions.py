"""What every network says of what was taught, for the gate to see a training that went wrong."""

import numpy as np
import pytest

from labelhub.projects.models import Project
from labelhub.rounds.model_files import model_folder
from labelhub.votes.parameters import first_parameters
from tests.factories import NOON
from tests.pictured import striped_project, vote_rightly
from tests.workers.untrained import rank, untrained_version
from workers.networks import forget_networks
from workers.opinions import opinions
from workers.promotion import Opinions
from workers.snapshot import Snapshot, take_snapshot

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = striped_project(gold_per_class=4)
    vote_rightly(project, 6)
    return project


def says(label: int):
    """A network that takes everything for one class."""
    return lambda images: np.tile(np.eye(4, dtype=np.float32)[label], (len(images), 1))


def asked(project: Project) -> tuple[Snapshot, Opinions]:
    snapshot = take_snapshot(project=project, model=first_parameters(project=project, now=NOON))
    by_fold = [says(0), says(1)]
    return snapshot, opinions(project=project, snapshot=snapshot, served=says(2), by_fold=by_fold)


def test_gold_and_likely_images_are_shown_to_every_network(project: Project) -> None:
    snapshot, about = asked(project)
    assert len(about.labels) == int(snapshot.trainable.sum()) > 12
    assert (about.by_fold.argmax(axis=2) == [[0], [1]]).all()
    assert (about.served.argmax(axis=1) == 2).all()
    assert (about.untaught.argmax(axis=1) == about.folds).all()
    assert np.isnan(about.before).all()  # nothing serves yet


def test_the_version_in_service_speaks_of_what_was_told_before_it(project: Project) -> None:
    rank(untrained_version(project))
    _snapshot, about = asked(project)
    assert np.isfinite(about.before).all(axis=1).sum() >= 12  # Gold at least


def test_a_version_in_service_whose_files_are_damaged_is_not_asked(project: Project) -> None:
    version = untrained_version(project)  # that has ranked nothing yet
    forget_networks()
    for sha256 in [version.sha256, *version.fold_sha256]:
        (model_folder(project) / f"{sha256}.safetensors").write_bytes(b"damaged")
    _snapshot, about = asked(project)
    assert np.isnan(about.before).all()
    assert len(about.labels)
