"""The recipe ``auto`` tries what may pay, keeps what fits unseen images best, and says why."""

import numpy as np
import pytest
from django.db.models import F

from classifier import fitting, patches
from classifier.ensemble import EnsembleNetwork
from classifier.recipes.features import FeatureNetwork
from labelhub.projects.models import Project
from labelhub.rounds.models import ModelVersion, Prediction, Round
from labelhub.rounds.services import open_round
from tests.factories import NOON
from tests.pictured import striped_project, vote_rightly
from tests.workers.untrained import clock, rank
from workers import choosing
from workers.lessons import Task
from workers.networks import networks_in_service
from workers.training import train_round

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _little_work(monkeypatch: pytest.MonkeyPatch, settings, tmp_path) -> None:
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(patches, "SAMPLE", 2000)
    monkeypatch.setattr(fitting, "TURNS", 10)


def auto_project(**settings: object) -> Project:
    return striped_project(images=60, recipe="auto", training_steps=20, **settings)


def next_version(project: Project) -> ModelVersion:
    """The version of a Round done here; every image has its prediction if it serves."""
    opened = open_round(project=project, trigger=Round.Trigger.PERSON, opened_by_id=None, now=NOON)
    assert train_round(round_id=opened.pk, worker="here", clock=clock)
    version = ModelVersion.objects.get(round=opened)
    if version.serving:
        rank(version)
        assert Prediction.objects.filter(model_version=version).count() == project.images.count()
    return version


def networks(version: ModelVersion) -> list[object]:
    return networks_in_service(project=version.project, label_classes=version.label_classes)


def test_with_few_labels_it_learns_heads_and_wastes_no_time() -> None:
    version = next_version(auto_project())
    assert version.recipe == "features"
    assert "choice" not in version.metrics
    assert all(isinstance(one, FeatureNetwork) for one in networks(version))


def test_with_many_labels_each_candidate_is_measured_on_images_it_has_not_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choosing, "ENOUGH_LABELS", 4)
    project = auto_project()
    version = next_version(project)
    choice = version.metrics["choice"]
    assert set(choice["misfit"]) == {"features", "fast", "features+fast"}
    assert choice["kept"] == version.recipe
    assert choice["labels"] == 18
    best_alone = min(choice["misfit"][name] for name in ("features", "fast"))
    both = choice["misfit"]["features+fast"]
    assert (version.recipe == "features+fast") == (both < 0.99 * best_alone)
    again = next_version(project)
    assert again.metrics["choice"]["labels"] == 18


def test_both_together_serve_as_one_version_whose_folds_never_saw_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choosing, "ENOUGH_LABELS", 4)
    monkeypatch.setattr(choosing, "CLEARLY", -100.0)  # whatever they measure
    version = next_version(auto_project())
    assert version.recipe == "features+fast"
    assert version.serving
    *folds, served = networks(version)
    assert len(folds) == 10
    assert all(isinstance(one, EnsembleNetwork) for one in [*folds, served])
    scratch = [one.members["fast"].state_dict()["stages.logits.bias"].numpy() for one in folds]
    for fold, bias in enumerate(scratch):  # of two networks, the one that did not see the fold
        assert np.array_equal(bias, scratch[fold % 2])
    assert not np.array_equal(scratch[0], scratch[1])


def test_what_lost_is_tried_again_when_there_are_twice_as_many_labels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choosing, "ENOUGH_LABELS", 4)
    monkeypatch.setattr(choosing, "_misfit", lambda said, targets: float(said.shape[0]))
    project = auto_project()
    first = next_version(project)
    assert first.metrics["choice"]["kept"] == "features"  # none is clearly better
    vote_rightly(project, 10)
    second = next_version(project)
    assert second.metrics["choice"] == first.metrics["choice"]  # 28 labels: not tried
    vote_rightly(project, 30)
    third = next_version(project)
    assert third.metrics["choice"]["labels"] > 36


def test_pictures_that_no_round_has_time_to_describe_are_learned_from_the_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choosing, "SECONDS_A_PICTURE", 1e6)
    version = next_version(auto_project())
    assert version.recipe == "fast"
    assert len(version.fold_sha256) == 2


def test_a_round_that_describes_most_of_its_minutes_leaves_training_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choosing, "ENOUGH_LABELS", 4)
    monkeypatch.setattr(choosing, "SECONDS_A_PICTURE", 10.0)  # 60 pictures, of 15 minutes
    project = auto_project()
    first = next_version(project)
    assert first.recipe == "features"
    assert "choice" not in first.metrics
    assert "choice" in next_version(project).metrics


def test_training_and_describing_share_the_minutes_of_a_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choosing, "ENOUGH_LABELS", 4)
    monkeypatch.setattr(choosing, "CLEARLY", -100.0)
    given: list[float | None] = []
    taught = choosing._of

    def noting(task: Task, recipe: str, **share: float) -> Task:
        made = taught(task, recipe, **share)
        given.append(made.config.seconds)
        return made

    monkeypatch.setattr(choosing, "_of", noting)
    next_version(auto_project(training_minutes=3))
    assert given == [60.0, 30.0]  # heads need none; each of three networks half of its minute


def test_what_is_learned_by_two_folds_is_asked_for_by_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "SECONDS_A_PICTURE", 1e6)
    project = auto_project()
    project.images.update(fold=2 * (F("pk") % 5))  # ten groups; all even
    opened = open_round(project=project, trigger=Round.Trigger.PERSON, opened_by_id=None, now=NOON)
    train_round(round_id=opened.pk, worker="here", clock=clock)
    opened.refresh_from_db()
    assert opened.state == Round.State.FAILED
    assert "fold" in opened.reason
