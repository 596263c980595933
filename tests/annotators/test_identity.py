"""Who is who: one signed cookie a project, and nothing that joins two visits."""

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client, override_settings

from labelhub.annotators.models import Annotator
from labelhub.projects.models import Project
from tests.factories import shapes_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return shapes_project()


def start(client: Client, project: Project) -> Annotator:
    """Press Start; the Annotator that the cookie names afterwards."""
    reply = client.post(f"/p/{project.slug}/grid/")
    assert reply.status_code == 303
    key = client.cookies[f"labelhub-{project.slug}"].value.split(":")[0]
    return Annotator.objects.get(key=key)


def test_a_visitor_is_known_by_one_signed_cookie_and_has_no_session(project: Project) -> None:
    ada = Client()
    annotator = start(ada, project)
    cookie = ada.cookies[f"labelhub-{project.slug}"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert start(ada, project) == annotator
    assert annotator.user is None
    assert not Session.objects.exists()


@override_settings(SESSION_COOKIE_SECURE=True)
def test_under_https_the_cookie_is_secure(project: Project) -> None:
    ada = Client()
    start(ada, project)
    assert ada.cookies[f"labelhub-{project.slug}"]["secure"]


def test_the_cookie_is_set_once_and_never_by_a_get(project: Project) -> None:
    ada = Client()
    start(ada, project)
    assert f"labelhub-{project.slug}" not in ada.post(f"/p/{project.slug}/grid/").cookies
    assert f"labelhub-{project.slug}" not in Client().get(f"/p/{project.slug}/").cookies


def test_two_projects_know_one_browser_by_two_keys(project: Project) -> None:
    ada = Client()
    other = shapes_project(name="Other")
    assert start(ada, project).key != start(ada, other).key


def test_a_key_cannot_be_carried_to_another_project_or_made_up(project: Project) -> None:
    ada, oskar = Client(), Client()
    other = shapes_project(name="Other")
    annotator = start(ada, project)
    stolen = ada.cookies[f"labelhub-{project.slug}"].value
    oskar.cookies[f"labelhub-{other.slug}"] = stolen
    oskar.cookies[f"labelhub-{project.slug}"] = f"{annotator.key}:made:up"
    assert start(oskar, other).key != annotator.key
    assert start(oskar, project).key != annotator.key


def test_a_user_is_the_same_annotator_in_every_browser(project: Project) -> None:
    ada = User.objects.create_user("ada")
    desk, phone = Client(), Client()
    desk.force_login(ada)
    phone.force_login(ada)
    assert start(desk, project) == start(phone, project)
    assert Annotator.objects.get().user == ada


def test_signing_in_and_out_makes_the_browser_someone_else(project: Project) -> None:
    User.objects.create_user("ada", password="a long enough password")
    browser = Client()
    visitor = start(browser, project)
    entry = {"username": "ada", "password": "a long enough password"}
    assert browser.post("/login/", entry).status_code == 302
    user = start(browser, project)
    assert browser.post("/logout/").status_code == 302
    later = start(browser, project)
    assert len({visitor, user, later}) == 3
    assert user.user is not None
    assert later.user is None


def test_admins_use_the_same_door(project: Project) -> None:
    User.objects.create_superuser("boss", password="a long enough password")
    browser = Client()
    start(browser, project)
    entry = {"username": "boss", "password": "a long enough password", "next": "/admin/"}
    reply = browser.post("/admin/login/", entry)
    assert reply["Location"] == "/admin/"
    assert reply.cookies[f"labelhub-{project.slug}"]["max-age"] == 0


def test_signing_out_by_a_link_is_not_possible() -> None:
    assert Client().get("/logout/").status_code == 405
