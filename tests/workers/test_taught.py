"""Labels that are changed on their way to the training never serve, however few they are."""

from dataclasses import replace

import numpy as np
import pytest

from labelhub.projects.models import Project
from labelhub.rounds.models import ModelVersion, Round
from labelhub.rounds.services import open_round
from labelhub.votes.models import Parameters
from tests.factories import NOON
from tests.pictured import striped_project, vote_rightly
from tests.workers.untrained import clock, rank
from workers import choosing, teaching, training
from workers.snapshot import Snapshot

pytestmark = pytest.mark.django_db(transaction=True)


def run(project: Project) -> Round:
    opened = open_round(project=project, trigger=Round.Trigger.PERSON, opened_by_id=None, now=NOON)
    training.train_round(round_id=opened.pk, worker="here", clock=clock)
    opened.refresh_from_db()
    return opened


def one_flipped(snapshot: Snapshot) -> Snapshot:
    """A single label of the trainable ones becomes another class."""
    targets = snapshot.targets.copy()
    row = int(np.flatnonzero(snapshot.trainable)[0])
    targets[row] = np.roll(targets[row], 1)
    return replace(snapshot, targets=targets)


@pytest.mark.parametrize("recipe", ["seed", "features"])
def test_one_label_changed_between_snapshot_and_training_is_a_refusal(
    recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = striped_project(recipe=recipe)
    real = training.teach
    monkeypatch.setattr(
        training,
        "teach",
        lambda task, *, recipe: real(
            replace(task, snapshot=one_flipped(task.snapshot)), recipe=recipe
        ),
    )
    done = run(project)
    assert done.outcome == Round.Outcome.REFUSED
    assert "was taught other labels than the snapshot has" in done.reason
    assert not ModelVersion.objects.filter(serving=True).exists()


def test_one_label_changed_on_its_way_to_one_network_names_that_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = striped_project()
    real, calls = teaching.checksum, []

    def at_times(snapshot: Snapshot, chosen: np.ndarray) -> str:
        calls.append(chosen)
        return real(one_flipped(snapshot) if len(calls) == 3 else snapshot, chosen)

    monkeypatch.setattr(teaching, "checksum", at_times)
    done = run(project)
    assert len(calls) == 3
    assert done.reason.startswith("the network to serve was taught other labels")


def test_an_average_of_networks_is_held_to_what_each_of_them_was_taught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choosing, "ENOUGH_LABELS", 4)
    monkeypatch.setattr(choosing, "CLEARLY", -100.0)  # both, whatever they measure
    done = run(striped_project(images=60, recipe="auto", training_steps=20))
    assert done.outcome == Round.Outcome.PROMOTED, done.reason
    assert ModelVersion.objects.get().recipe == "features+fast"


def test_labels_changed_in_the_snapshot_put_nothing_in_force(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = striped_project()
    vote_rightly(project, 30)
    assert run(project).outcome == Round.Outcome.PROMOTED
    rank(ModelVersion.objects.get())
    before = list(Parameters.objects.values_list("version", flat=True))
    real = training.take_snapshot
    monkeypatch.setattr(training, "take_snapshot", lambda **asked: one_of_ten(real(**asked)))
    done = run(project)
    assert "labels that it was to learn are not what Gold and votes say" in done.reason
    assert list(Parameters.objects.values_list("version", flat=True)) == before


def one_of_ten(snapshot: Snapshot) -> Snapshot:
    """Every tenth label becomes another class."""
    targets = snapshot.targets.copy()
    targets[::10] = np.roll(targets[::10], 1, axis=1)
    return replace(snapshot, targets=targets)


def test_a_network_that_says_no_numbers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    project = striped_project()
    real = training.teach

    def broken(task, *, recipe):
        networks = real(task, recipe=recipe)
        networks.folds[1].network.get_submodule("stages.logits").bias.data[0] = float("nan")
        return networks

    monkeypatch.setattr(training, "teach", broken)
    done = run(project)
    assert done.state == Round.State.FAILED
    assert done.reason == "the probabilities of fold network 2 are not numbers"
