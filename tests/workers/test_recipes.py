"""What a project's recipe promises: small projects, any picture size, and a change of mind."""

import pytest

from classifier import fitting, patches
from classifier.backbone import weights_sha256
from classifier.model import RECIPES
from labelhub.projects.models import Project
from labelhub.rounds.models import ModelVersion, Prediction, Round
from labelhub.rounds.services import FEWEST_LABELS, TooFewLabels, open_round
from tests.factories import NOON
from tests.pictured import striped_project
from tests.workers.coloured import coloured_project
from tests.workers.untrained import clock, rank
from workers.training import train_round

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "SAMPLE", 2000)
    monkeypatch.setattr(fitting, "TURNS", 10)


def round_of(project: Project) -> Round:
    """A whole Round, done here; every image has a prediction of the version it promoted."""
    opened = open_round(project=project, trigger=Round.Trigger.PERSON, opened_by_id=None, now=NOON)
    assert train_round(round_id=opened.pk, worker="here", clock=clock)
    for version in ModelVersion.objects.filter(round=opened, serving=True):
        rank(version)
        assert Prediction.objects.filter(model_version=version).count() == project.images.count()
    opened.refresh_from_db()
    return opened


def test_a_project_may_choose_every_recipe_there_is_and_no_other() -> None:
    assert set(Project.Recipe.values) == {*RECIPES, "auto"}


def test_five_pictures_are_too_few_for_a_round_and_it_says_so() -> None:
    project = striped_project(images=5, gold_per_class=2, recipe="features")
    with pytest.raises(TooFewLabels, match=r"5 images of Stripes have Gold or votes.* at least 10"):
        round_of(project)


def test_a_project_of_as_few_pictures_as_a_round_takes_gets_a_network() -> None:
    project = striped_project(images=FEWEST_LABELS, gold_per_class=4, recipe="features")
    done = round_of(project)
    assert done.outcome == Round.Outcome.PROMOTED, done.reason


def test_two_classes_and_grey_pictures_get_a_network() -> None:
    project = coloured_project(images=16, gold_per_class=6, recipe="features", channels=1)
    done = round_of(project)
    assert done.outcome == Round.Outcome.PROMOTED, done.reason
    assert len(ModelVersion.objects.get().label_classes) == 3  # with none of these


def test_recipe_and_picture_size_may_be_changed_in_a_project_that_has_a_network() -> None:
    project = striped_project(images=24)
    assert round_of(project).outcome == Round.Outcome.PROMOTED
    for change in ({"recipe": "features"}, {"image_size": 32, "channels": 1}, {"recipe": "seed"}):
        Project.objects.filter(pk=project.pk).update(**change)
        project.refresh_from_db()
        ended = round_of(project)
        assert ended.state == Round.State.DONE, ended.reason
        newest = ModelVersion.objects.get(round=ended)
        assert newest.recipe == project.recipe
        assert newest.config["channels"] == project.channels


def test_a_network_of_pretrained_weights_starts_from_them_and_is_served() -> None:
    project = striped_project(images=24, recipe="efficient", training_steps=2)
    done = round_of(project)
    assert done.state in (Round.State.DONE, Round.State.RANKING), done.reason
    version = ModelVersion.objects.get(round=done)
    assert version.recipe == "efficient"
    assert version.config["pretrained"] == weights_sha256()


def test_weights_that_are_not_there_end_the_round_with_their_path() -> None:
    project = striped_project(images=24, recipe="resnet", pretrained="/nowhere/resnet.safetensors")
    done = round_of(project)
    assert done.state == Round.State.FAILED
    assert "pretrained weights cannot be read" in done.reason
    assert "/nowhere/resnet.safetensors" in done.reason


def test_trainings_share_the_minutes_of_their_project() -> None:
    project = striped_project(images=24, training_minutes=6)
    round_of(project)
    assert ModelVersion.objects.get().config["seconds"] == 120  # two for the folds, one to serve
