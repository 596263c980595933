"""What the network takes for what, how sure it may be, and whether it can be asked at all."""

import csv
import io

import pytest
from django.test import Client

from labelhub.projects.models import Image, Project
from labelhub.rounds.models import ModelVersion, RankingShard, Round
from tests.dashboard.given import past_round, predict
from tests.dashboard.test_cockpit import cockpit

pytestmark = pytest.mark.django_db


def evaluated(project: Project, **found: object) -> ModelVersion:
    """A version in service of whose evaluation more is known."""
    version = past_round(project, accuracy=0.9)
    version.metrics |= found
    version.save(update_fields=["metrics"])
    return version


def confusion(images: list[Image], true: int, called: int, count: int) -> dict[str, object]:
    examples = [image.pk for image in images]
    return {"true": true, "called": called, "count": count, "examples": examples}


def test_the_most_frequent_confusion_is_said_with_the_pictures(
    ada: Client, project: Project
) -> None:
    images = list(project.images.order_by("pk")[:4])
    evaluated(project, confusions=[confusion(images[:3], 0, 1, 7), confusion(images[3:], 2, 0, 1)])
    page = cockpit(ada, project)
    assert "It took circle for cross most often: 7 times" in page
    assert page.count("circle, taken for cross") == 3
    assert "triangle, taken for circle" in page
    for image in images:
        assert f"/dashboard/{project.slug}/images/{image.pk}/" in page


def test_a_single_confusion_is_said_as_one(ada: Client, project: Project) -> None:
    evaluated(project, confusions=[confusion([project.images.first()], 0, 1, 1)])
    assert "It took circle for cross once" in cockpit(ada, project)


def test_pictures_that_are_gone_are_not_shown(ada: Client, project: Project) -> None:
    gone, there = project.images.order_by("pk")[:2]
    evaluated(project, confusions=[confusion([gone, there], 0, 1, 2)])
    Image.objects.filter(pk=gone.pk).update(status=Image.Status.EXCLUDED)
    page = cockpit(ada, project)
    assert page.count("circle, taken for cross") == 1
    Image.objects.filter(pk=there.pk).update(status=Image.Status.EXCLUDED)
    assert "It took circle" not in cockpit(ada, project)


@pytest.mark.parametrize("found", [{}, {"confusions": []}])
def test_a_version_that_confused_nothing_or_from_before_shows_nothing(
    ada: Client, project: Project, found: dict[str, object]
) -> None:
    evaluated(project, **found)
    page = cockpit(ada, project)
    assert 'id="confused"' not in page
    assert "How sure it says it is" not in page


def test_how_far_its_sureness_is_to_be_trusted_is_said(ada: Client, project: Project) -> None:
    evaluated(project, ece=0.0314)
    words = "How sure it says it is differs from how often it is right by 3.1 %."
    assert words in cockpit(ada, project)


def test_a_version_whose_files_are_damaged_is_noticed(ada: Client, project: Project) -> None:
    version = evaluated(project)
    assert "cannot look at the pictures" not in cockpit(ada, project)
    RankingShard.objects.create(
        model_version=version, number=0, first_image=1, last_image=60, trouble="it was cut short."
    )
    page = cockpit(ada, project)
    assert "Version 1, which serves, cannot look at the pictures: it was cut short." in page
    assert "Run a Round, roll back, or bring its files back from the backup." in page


def test_programs_get_the_learning_curve_and_the_calibration(ada: Client, project: Project) -> None:
    version = evaluated(project, ece=0.03, ece_before=0.11, interval=[0.81, 0.95])
    predict(version, list(project.images.all()))
    Round.objects.update(snapshot={"trainable": 412, "votes": 700})
    told = ada.get(f"/dashboard/{project.slug}/stats.json").json()
    assert told["serving"]["ece"] == 0.03
    assert told["serving"]["ece_before"] == 0.11
    assert told["serving"]["interval"] == [0.81, 0.95]
    [point] = told["learning_curve"]
    assert (point["round"], point["labels"], point["votes"]) == (1, 412, 700)
    assert (point["accuracy"], point["interval"], point["promoted"]) == (0.9, [0.81, 0.95], True)
    answer = ada.get(f"/dashboard/{project.slug}/rounds.csv")
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    [row] = csv.DictReader(io.StringIO(content.decode()))
    assert (row["labels"], row["votes"], row["ece"]) == ("412", "700", "0.03")
