"""The home page, a project's own page, and its example pictures."""

import numpy as np
import pytest
from django.test import Client

from labelhub.projects.models import Image, Project
from labelhub.projects.pictures import clean_array, store
from labelhub.projects.services import NewImage, add_examples, add_images
from tests.factories import NOON, shapes_project

pytestmark = pytest.mark.django_db


def stored_example(project: Project) -> Image:
    picture = clean_array(np.full((32, 32, 3), 90, dtype=np.uint8), "grey.png")
    store(picture)
    new = NewImage(picture.sha256, picture.name, 32, 32)
    image = add_images(project=project, pictures=[new], now=NOON).added[0]
    add_examples(label_class=project.label_classes.get(key="circle"), images=[image])
    return image


def test_an_empty_hub_says_how_to_make_a_project() -> None:
    page = Client().get("/").text
    assert "No project yet" in page
    assert "create_project" in page


def test_the_home_page_lists_projects_with_how_far_they_are() -> None:
    project = shapes_project()
    project.progress.images, project.progress.settled, project.progress.votes = 60, 30, 1234
    project.progress.save()
    page = Client().get("/").text
    assert project.get_absolute_url() in page
    assert "1,234 judgements so far. The project is 50 % settled." in page


def test_a_project_is_called_done_only_when_nothing_is_left() -> None:
    project = shapes_project()
    project.progress.images, project.progress.settled = 1000, 999
    project.progress.save()
    assert "99 % settled" in Client().get("/").text


def test_a_projects_page_shows_its_classes_with_examples_and_start() -> None:
    project = shapes_project()
    image = stored_example(project)
    page = Client().get(project.get_absolute_url()).text
    assert f"/p/{project.slug}/example/{image.pk}" in page
    for name in ("circle", "cross", "triangle"):
        assert name in page
    assert "none of these" not in page
    assert "Start" in page


def test_a_paused_project_offers_no_start() -> None:
    project = shapes_project(status=Project.Status.PAUSED)
    page = Client().get(project.get_absolute_url()).text
    assert "paused" in page
    assert "Start" not in page


def test_an_example_is_public_and_kept_by_browsers() -> None:
    project = shapes_project()
    image = stored_example(project)
    first = Client().get(f"/p/{project.slug}/example/{image.pk}")
    again = Client().get(
        f"/p/{project.slug}/example/{image.pk}", headers={"if-none-match": first["ETag"]}
    )
    assert (first.status_code, first["Content-Type"]) == (200, "image/png")
    assert first["X-Content-Type-Options"] == "nosniff"
    assert "public" in first["Cache-Control"]
    assert (again.status_code, again.content) == (304, b"")


def test_an_example_whose_file_is_lost_is_not_found(caplog: pytest.LogCaptureFixture) -> None:
    project = shapes_project()
    image = project.images.first()
    assert image is not None
    add_examples(label_class=project.label_classes.get(key="circle"), images=[image])
    assert Client().get(f"/p/{project.slug}/example/{image.pk}").status_code == 404
    assert "is not in the folder any more" in caplog.text


def test_a_picture_that_is_no_example_has_no_public_address() -> None:
    project = shapes_project()
    other = shapes_project(name="Other")
    image = stored_example(project)
    asked = project.images.exclude(pk=image.pk).first()
    assert asked is not None
    assert Client().get(f"/p/{project.slug}/example/{asked.pk}").status_code == 404
    assert Client().get(f"/p/{other.slug}/example/{image.pk}").status_code == 404


def test_names_are_shown_as_text_and_never_as_markup() -> None:
    payload = "<script>alert(1)</script>"
    project = shapes_project(name=f"Bad {payload}", description=payload)
    for page in ("/", project.get_absolute_url()):
        assert payload not in Client().get(page).text
