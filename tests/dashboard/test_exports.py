"""The cockpit for programs: Rounds as CSV, all its numbers as JSON."""

import csv
from io import StringIO

import pytest
from django.test import Client

from labelhub.projects.models import Project
from labelhub.rounds.models import Round
from tests.dashboard.given import past_round, past_rounds, predict, running_round
from tests.factories import NOON

pytestmark = pytest.mark.django_db


def test_every_round_is_in_the_csv(ada: Client, project: Project) -> None:
    past_rounds(project, [0.5] * 250)
    past_round(project, accuracy=0.4, promoted=False)
    running_round(project)
    answer = ada.get(f"/dashboard/{project.slug}/rounds.csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="shapes-rounds.csv"'
    rows = list(csv.DictReader(StringIO(answer.text)))
    assert [int(row["round"]) for row in rows] == list(range(1, 253))
    assert (rows[-2]["outcome"], rows[-2]["accuracy"]) == ("refused", "0.4")
    assert (rows[-1]["state"], rows[-1]["accuracy"]) == ("training", "")


def test_a_spreadsheet_takes_a_reason_for_text(ada: Client, project: Project) -> None:
    Round.objects.create(
        project=project, number=1, state="failed", reason='=HYPERLINK("x")', finished_at=NOON
    )
    row = next(csv.DictReader(StringIO(ada.get(f"/dashboard/{project.slug}/rounds.csv").text)))
    assert row["reason"].startswith("'=")


def test_the_json_says_what_the_cockpit_says(ada: Client, project: Project) -> None:
    version = past_round(project, accuracy=0.9)
    images = list(project.images.filter(gold__isnull=True)[:5])
    predict(version, images)
    said = ada.get(f"/dashboard/{project.slug}/stats.json").json()
    assert (said["project"], said["images"], said["settled"]) == ("shapes", 60, 12)
    assert said["serving"]["accuracy"] == 0.9
    assert said["serving"]["provisional"] is True
    assert [need["key"] for need in said["needs"]] == ["young-holdout"]
    assert said["round"]["outcome"] == "promoted"
    assert said["schedule"]["images_with_news"] == 0
    assert {row["key"]: row["gold"] for row in said["classes"]} == {
        "circle": 4,
        "cross": 4,
        "triangle": 4,
        "none-of-these": 0,
    }
    assert {row["image"] for row in said["in_doubt"]} == {image.pk for image in images}
    assert said["in_doubt"][0]["probabilities"].keys() == {
        "circle",
        "cross",
        "triangle",
        "none-of-these",
    }
    entropies = [row["entropy"] for row in said["in_doubt"]]
    assert entropies == sorted(entropies, reverse=True)


def test_the_json_of_a_new_project_has_its_gaps(ada: Client, project: Project) -> None:
    said = ada.get(f"/dashboard/{project.slug}/stats.json").json()
    assert said["serving"] is None
    assert said["round"] is None
    assert said["rounds"] == []
