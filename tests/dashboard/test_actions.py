"""What admins do from the dashboard, and the word after each."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labelhub.projects.models import Project
from labelhub.rounds.models import ModelVersion, Round
from tests.dashboard.given import past_round, past_rounds
from tests.factories import shapes_project

pytestmark = pytest.mark.django_db


def act(client: Client, project: Project, action: str) -> str:
    """The page after an action, which is the project's cockpit."""
    answer = client.post(f"/dashboard/{project.slug}/{action}/", follow=True)
    assert answer.redirect_chain == [(f"/dashboard/{project.slug}/", 302)]
    return answer.text


def test_a_round_started_here_belongs_to_who_started_it(ada: Client, project: Project) -> None:
    assert "Round 1 is on its way." in act(ada, project, "run")
    opened = Round.objects.get()
    assert opened.trigger == Round.Trigger.PERSON
    assert opened.opened_by == User.objects.get(username="ada")


def test_a_second_round_is_not_opened_beside_the_first(ada: Client, project: Project) -> None:
    act(ada, project, "run")
    assert "No Round was opened: Shapes has a Round under way." in act(ada, project, "run")
    assert Round.objects.count() == 1


def test_too_few_labels_are_said_instead_of_a_round(ada: Client) -> None:
    poor = shapes_project(name="Poor", gold_per_class=1)
    assert "3 images of Poor have Gold or votes" in act(ada, poor, "run")
    assert Round.objects.count() == 0


def test_a_project_is_paused_and_resumed(ada: Client, project: Project) -> None:
    assert "Paused. What was answered so far is kept." in act(ada, project, "pause")
    project.refresh_from_db()
    assert project.status == Project.Status.PAUSED
    assert "Resumed. People can answer again." in act(ada, project, "resume")
    project.refresh_from_db()
    assert project.status == Project.Status.ACTIVE


def test_a_rollback_says_what_it_would_do_before_it_does(ada: Client, project: Project) -> None:
    past_rounds(project, [0.7, 0.9])
    question = ada.get(f"/dashboard/{project.slug}/rollback/").text.replace("\u00a0", " ")
    assert "version 2: 90 % on 72 Gold pictures" in question
    assert "version 1: 70 % on 72 Gold pictures" in question
    assert ModelVersion.objects.get(serving=True).number == 2
    assert "Version 1 serves again, not 2." in act(ada, project, "rollback")
    assert ModelVersion.objects.get(serving=True).number == 1


def test_without_a_version_before_there_is_nothing_to_roll_back(
    ada: Client, project: Project
) -> None:
    address = f"/dashboard/{project.slug}/rollback/"
    assert "No version serves yet." in ada.get(address).text
    past_round(project, accuracy=0.8)
    assert "No version was promoted before this one." in ada.get(address).text
    assert "Nothing was changed" in act(ada, project, "rollback")
    assert ModelVersion.objects.get(serving=True).number == 1
