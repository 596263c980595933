"""The two commands: their JSON, their exit codes, their one-line errors."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError

from labelhub.exchange import services
from labelhub.projects.models import Image, LabelClass, Project
from tests.exchange import given

pytestmark = pytest.mark.django_db


def run(*arguments: object) -> str:
    out = StringIO()
    call_command(*map(str, arguments), stdout=out, stderr=StringIO())
    return out.getvalue()


def test_create_project_makes_the_classes_in_order_and_none_of_these() -> None:
    out = run("create_project", "Street signs", "--classes", "a stop sign, a bus,", "--json", "-")
    assert json.loads(out) == {"project": "street-signs"}
    assert list(LabelClass.objects.values_list("name", "is_none")) == [
        ("a stop sign", False),
        ("a bus", False),
        ("none of these", True),
    ]


def test_a_new_project_learns_on_features_unless_another_recipe_is_asked_for() -> None:
    run("create_project", "Signs", "--classes", "a stop sign,a bus")
    run("create_project", "Runes", "--classes", "a rune,a blot", "--recipe", "seed")
    assert dict(Project.objects.values_list("slug", "recipe")) == {
        "signs": "features",
        "runes": "seed",
    }


def test_an_unknown_recipe_is_refused_with_those_there_are() -> None:
    with pytest.raises(CommandError, match=r"'alchemy' \(choose from .*features.*seed") as refusal:
        run("create_project", "Signs", "--classes", "bus,car", "--recipe", "alchemy")
    assert "\n" not in str(refusal.value)
    assert not Project.objects.exists()


@pytest.mark.parametrize(
    ("name", "classes", "complaint"),
    [
        ("Signs", "", "at least two classes"),
        ("Signs", "bus", "at least two classes to tell apart; got bus"),
        ("Signs", "bus,Bus", "class 'Bus' is there twice"),
        ("Signs", "bus,!!", "class '!!': a class needs a name"),
        ("Signs", "собака,Собака", "class 'Собака' is there twice"),
        ("Signs", "bus," + "x" * 1200, "class 'x{40}…': name: Ensure .* at most 80 characters"),
        ("!!", "bus,car", "project name '!!'"),
        ("x" * 200, "bus,car", "project 'x{40}…': name: Ensure .* at most 120 characters"),
    ],
)
def test_a_project_that_cannot_be_is_refused_in_one_line(
    name: str, classes: str, complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint) as refusal:
        run("create_project", name, "--classes", classes)
    assert "\n" not in str(refusal.value)
    assert not Project.objects.exists()


def test_import_images_reports_every_file_in_its_json(tmp_path: Path) -> None:
    given.project()
    source = given.tree(tmp_path / "in")
    given.put(source, "circle/again.png", given.png(0))
    given.put(source, "notes.txt", b"hello")
    target = tmp_path / "report.json"
    said = run("import_images", "shapes", source, "--gold", "--json", target)
    report = json.loads(target.read_text())
    assert report.pop("seconds") > 0
    why = "not a picture (JPEG, PNG, WEBP, GIF, BMP, TIFF are)"
    assert report == {
        "read": 11,
        "added": 9,
        "duplicates": 1,
        "gold": 9,
        "rejected": [{"name": "notes.txt", "reason": why}],
    }
    assert f"notes.txt: {why}" in said


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({}, "there are no files in it"),
        ({"a.txt": b"x", "b.txt": b"y"}, "none of 2 files could be taken; the first, a.txt: not a"),
    ],
)
def test_an_import_that_could_take_nothing_fails_and_says_why(
    tmp_path: Path, files: dict[str, bytes], complaint: str
) -> None:
    given.project()
    (tmp_path / "in").mkdir()
    for name, data in files.items():
        given.put(tmp_path / "in", name, data)
    target = tmp_path / "report.json"
    with pytest.raises(CommandError, match=complaint):
        run("import_images", "shapes", tmp_path / "in", "--json", target)
    assert json.loads(target.read_text())["read"] == len(files)


def test_an_import_into_no_project_names_those_there_are(tmp_path: Path) -> None:
    given.project()
    with pytest.raises(CommandError, match="there is no project 'shape'; there are: shapes"):
        run("import_images", "shape", tmp_path)


def test_a_dry_run_says_would_and_adds_nothing(tmp_path: Path) -> None:
    given.project()
    said = run("import_images", "shapes", given.tree(tmp_path / "in"), "--dry-run")
    assert "9 would be added" in said
    assert not Image.objects.exists()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (KeyboardInterrupt(), "stopped; 5 images were added"),
        (DatabaseError("duplicate key\nDETAIL: …"), "duplicate key; 5 images were added"),
        (OSError(28, "No space left on device"), r"\[Errno 28\] No space .*; 5 images were added"),
    ],
)
def test_an_import_that_is_stopped_says_in_one_line_what_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException, said: str
) -> None:
    given.project()
    monkeypatch.setattr(services, "BATCH", 5)
    stored = services.store

    def faulty(picture) -> None:
        if picture.name == "triangle/1.png":
            raise fault
        stored(picture)

    monkeypatch.setattr(services, "store", faulty)
    with pytest.raises(CommandError, match=said) as refusal:
        run("import_images", "shapes", given.tree(tmp_path / "in"))
    assert "\n" not in str(refusal.value)
    assert Image.objects.count() == 5


def test_a_project_takes_the_slug_it_is_given() -> None:
    out = run("create_project", "Signs", "--classes", "bus,car", "--slug", "signs-2", "--json", "-")
    assert json.loads(out) == {"project": "signs-2"}
    with pytest.raises(CommandError, match="there is a project 'signs-2' already"):
        run("create_project", "Signs", "--classes", "bus,car", "--slug", "signs-2")
    with pytest.raises(CommandError, match=r"project 'Signs'.*valid"):
        run("create_project", "Signs", "--classes", "bus,car", "--slug", "../signs")
