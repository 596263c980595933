"""Predictions of the version in service and of the one before it are kept, older ones are not."""

import pytest

from labelhub.projects.models import Project
from labelhub.rounds import forgetting
from labelhub.rounds.forgetting import forget_predictions
from labelhub.rounds.models import ModelVersion, Prediction, Round
from tests.factories import NOON, shapes_project

pytestmark = pytest.mark.django_db


def ranked_version(project: Project, *, before: ModelVersion | None = None) -> ModelVersion:
    """A version that was promoted and has ranked every image."""
    ModelVersion.objects.filter(project=project, serving=True).update(serving=False)
    number = project.rounds.count() + 1
    row = Round.objects.create(project=project, number=number, state="done", finished_at=NOON)
    version = ModelVersion.objects.create(
        project=project,
        number=number,
        round=row,
        label_classes=[],
        serving=True,
        promoted_at=NOON,
        before=before,
    )
    Prediction.objects.bulk_create(
        Prediction(model_version=version, image=image, probabilities=b"", prior=b"", entropy=1.0)
        for image in project.images.all()
    )
    return version


def remembered() -> dict[int, int]:
    """Predictions by version."""
    versions = ModelVersion.objects.order_by("pk")
    return {version.pk: version.predictions.count() for version in versions}


def test_predictions_of_two_versions_are_kept_and_older_ones_go() -> None:
    project = shapes_project(images=30)
    oldest = ranked_version(project)
    before = ranked_version(project, before=oldest)
    serving = ranked_version(project, before=before)
    other = ranked_version(shapes_project(name="Other", images=12))
    assert forget_predictions() == 30
    assert remembered() == {oldest.pk: 0, before.pk: 30, serving.pk: 30, other.pk: 12}
    assert forget_predictions() == 0


def test_after_a_rollback_it_is_what_served_before_that_is_kept() -> None:
    project = shapes_project(images=12)
    good = ranked_version(project)
    bad = ranked_version(project, before=good)
    again = ranked_version(project, before=good)
    assert forget_predictions() == 12
    assert remembered() == {good.pk: 12, bad.pk: 0, again.pk: 12}


def test_one_tick_removes_a_bounded_number_and_the_next_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forgetting, "BATCH", 5)
    monkeypatch.setattr(forgetting, "MOST_BATCHES", 4)
    project = shapes_project(images=30)
    first = ranked_version(project)
    ranked_version(project, before=ranked_version(project, before=first))
    assert [forget_predictions() for _ in range(3)] == [20, 10, 0]
