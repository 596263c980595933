"""The question above a grid names its class, and only the name stands out."""

from html import unescape

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from labelhub.projects.asking import asked, require_name
from labelhub.projects.models import LabelClass, Project
from labelhub.projects.selectors import catalogue
from labelhub.projects.services import ProjectError, create_project
from tests.factories import add_shapes, shapes_project


def make(question: str, *names: str) -> list[tuple[str, str, str]]:
    """How a new project asks about its classes."""
    project = create_project(name="Signs", class_names=names, question=question)
    return [tuple(entry.asked) for entry in catalogue(project).askable]


@pytest.mark.django_db
def test_what_stands_out_is_the_name_that_was_put_in_and_no_other_word_like_it() -> None:
    assert make("Show {name} on a bus stop, please", "a bus", "a") == [
        ("Show ", "a bus", " on a bus stop, please"),
        ("Show ", "a", " on a bus stop, please"),
    ]


@pytest.mark.django_db
def test_a_question_follows_the_name_of_its_class() -> None:
    make("Is it {name}?", "a bus", "a car")
    LabelClass.objects.filter(key="a-bus").update(name="a coach")
    assert str(LabelClass.objects.get(key="a-bus").asked) == "Is it a coach?"


def test_a_question_from_before_says_the_name_as_whole_words() -> None:
    assert asked("Select a cat, not a catfish", "a cat") == ("Select ", "a cat", ", not a catfish")
    assert asked("What is it?", "a cat") == ("", "What is it?", "")
    assert str(asked("", "a cat")) == "Select all squares with a cat"
    assert str(asked("{name} or {name}?", "a cat")) == "a cat or a cat?"


@pytest.mark.django_db
def test_a_question_that_does_not_name_the_class_is_refused_everywhere(admin_client) -> None:
    said = "Write {name} into the question where the class's name belongs"
    with pytest.raises(ValidationError, match=said):
        require_name("Select all squares with it")
    with pytest.raises(ProjectError, match=said):
        make("Select all squares with it", "a bus", "a car")
    with pytest.raises(CommandError, match=said) as refusal:
        call_command("create_project", "Signs", "--classes=a,b", "--question=Where is it?")
    assert "\n" not in str(refusal.value)
    assert not Project.objects.exists()

    make("", "a bus", "a car")
    bus = LabelClass.objects.get(key="a-bus")
    address = reverse("admin:projects_labelclass_change", args=[bus.pk])
    refused = admin_client.post(address, {"name": "a bus", "question": "Where is it?"})
    assert said in unescape(refused.text)
    admin_client.post(address, {"name": "a bus", "question": "Where is {name}?"})
    bus.refresh_from_db()
    assert str(bus.asked) == "Where is a bus?"


@pytest.mark.django_db
def test_a_question_longer_than_its_column_is_refused_in_words() -> None:
    with pytest.raises(ProjectError, match="at most 200 characters"):
        make("{name}" + "x" * 200, "a bus", "a car")


@pytest.mark.django_db
def test_the_page_sets_off_the_name_alone() -> None:
    project = shapes_project(images=0)
    project.label_classes.filter(is_none=False).update(
        question="A square with “{name}” in a square"
    )
    add_shapes(project, count=60, gold_per_class=4)
    page = Client().post(f"/p/{project.slug}/grid/", follow=True).text
    assert any(
        f">A square with “<b>{name}</b>” in a square</h1>" in page
        for name in ("circle", "cross", "triangle")
    )
