"""What people vote of an image teaches every network but the one that speaks of it to them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifier.config import TrainConfig
from labelhub.projects.models import Project
from labelhub.votes.aggregation import posterior
from labelhub.votes.consensus import Basis, votes_of
from labelhub.votes.parameters import first_parameters
from labelhub.votes.services import refresh_consensus
from tests.factories import NOON
from tests.pictured import EDGE, striped_project, vote_rightly
from workers import training
from workers.lessons import Task, fold_networks
from workers.snapshot import Snapshot, take_snapshot
from workers.teaching import teach

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def snapshot(settings, tmp_path) -> Snapshot:
    settings.DATA_DIR = tmp_path
    project = striped_project(images=45)
    vote_rightly(project, 20)
    return take_snapshot(project=project, model=first_parameters(project=project, now=NOON))


def taught(snapshot: Snapshot, folder: Path) -> list[np.ndarray]:
    """All weights of each network, the folds' first."""
    folder.mkdir()
    task = Task(
        config=TrainConfig(
            classes=snapshot.targets.shape[1], image_size=EDGE, steps=5, device="cpu", threads=1
        ),
        snapshot=snapshot,
        pictures=training.fill_shards(project=Project.objects.get()),
        folder=folder,
        card={},
        shown=lambda progress: None,
    )
    networks = teach(task, recipe="seed")
    return [
        np.concatenate([tensor.numpy().ravel() for tensor in model.network.state_dict().values()])
        for model in (*networks.folds, networks.served)
    ]


def revoted(snapshot: Snapshot, place: int) -> Snapshot:
    """The same but for what people say of one image."""
    targets = snapshot.targets.copy()
    targets[place] = np.roll(targets[place], 1)
    return replace(snapshot, targets=targets)


@pytest.mark.parametrize("place", [0, 5])
def test_the_network_that_gives_an_image_its_prior_never_heard_its_votes(
    snapshot, place, tmp_path
) -> None:
    before = taught(snapshot, tmp_path / "before")
    after = taught(revoted(snapshot, place), tmp_path / "after")
    own = snapshot.folds[place] % fold_networks("seed")
    assert snapshot.trainable[place]
    same = [np.array_equal(one, other) for one, other in zip(before, after, strict=True)]
    assert same == [number == own for number in range(len(before))]


def test_what_a_network_thinks_of_an_image_is_never_taught_to_the_next_one(snapshot) -> None:
    project = Project.objects.get()
    model = first_parameters(project=project, now=NOON)
    place = int(np.flatnonzero(snapshot.gold < 0)[0])
    image = int(snapshot.images[place])
    against = np.full(model.classes, 0.001, dtype="<f4")
    against[int(snapshot.labels[place]) - 1] = 1.0
    basis = Basis(model, 7, {image: against.tobytes()})
    refresh_consensus(images=[image], now=NOON, basis=basis)
    again = take_snapshot(project=project, model=model)
    votes, _ = votes_of([image], model)
    told = posterior(np.full((1, model.classes), 1 / model.classes), votes, again.crowd)
    assert again.images[place] == image
    assert again.labels[place] == snapshot.labels[place]
    assert again.targets[place] == pytest.approx(told[0], abs=1e-6)
