"""Names in any script: each class gets a key of its own, and a folder finds it."""

import pytest
from django.core.management import call_command

from labelhub.exchange.classes import ClassFolders
from labelhub.exchange.items import Item
from labelhub.projects.models import Project
from labelhub.projects.naming import folded
from labelhub.projects.services import ProjectError, create_project
from tests.exchange import given


def keys_of(*names: str) -> list[str]:
    project = create_project(name="Animals", class_names=names)
    keys = list(project.label_classes.filter(is_none=False).values_list("key", flat=True))
    for row in project.label_classes.all():
        row.full_clean()
    return keys


@pytest.mark.django_db
def test_a_class_is_named_in_any_script_and_gets_a_key_of_its_own() -> None:
    assert keys_of("собака", "a café", "犬", "犬 dog", "dog", "猫 dog", "class 1", "٣") == [
        "class-1-2",
        "a-cafe",
        "class-3",
        "dog-2",
        "dog",
        "dog-3",
        "class-1",
        "class-8",
    ]


@pytest.mark.django_db
def test_a_name_longer_than_a_key_is_cut_in_its_key() -> None:
    long = "x" * 79
    first, second = keys_of(long + "1", long + "2")
    assert len(first) <= 60
    assert first != second


@pytest.mark.django_db
def test_vowel_signs_tell_names_apart_and_signs_alone_are_no_name() -> None:
    assert keys_of("कल", "काल") == ["class-1", "class-2"]
    assert folded("Собака!") == folded(" собака ") == "собака"
    with pytest.raises(ProjectError, match="a class needs a name with a letter or digit"):
        keys_of("bus", "…")


@pytest.mark.django_db
def test_a_project_named_in_another_script_gets_an_address_of_its_own() -> None:
    made = [create_project(name="Знаки", class_names=("a", "b")).slug for _ in range(3)]
    assert made == ["project", "project-2", "project-3"]
    with pytest.raises(ProjectError, match="there is a project 'project' already"):
        create_project(name="Project", class_names=("a", "b"))


@pytest.mark.django_db
def test_pictures_in_folders_named_as_the_classes_become_their_gold(tmp_path) -> None:
    create_project(name="Animals", class_names=("собака", "кошка"))
    for number, folder in enumerate(("собака", "Кошка", "class-2", "волк")):
        given.put(tmp_path, f"in/{folder}/{number}.png", given.png(number))
    call_command("import_images", "animals", str(tmp_path / "in"), "--gold")
    project = Project.objects.get()
    gold = {row.name: row.gold.label_class.name for row in project.images.exclude(gold=None)}
    assert gold == {"собака/0.png": "собака", "Кошка/1.png": "кошка", "class-2/2.png": "кошка"}
    with pytest.raises(ValueError, match=r'"волк" matches no class .*\(собака, кошка, none-of'):
        ClassFolders(project).required(Item("волк/3.png", ("волк",), b""))
