"""Who may enter the dashboard, and who may act in it."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from labelhub.projects.models import Gold, Project
from labelhub.rounds.models import Round
from tests.dashboard.conftest import client_of, staff
from tests.dashboard.given import past_rounds, running_round
from tests.factories import shapes_project

pytestmark = pytest.mark.django_db
PAGES = (
    "",
    "answers/",
    "round/",
    "details/",
    "stats.json",
    "rounds.csv",
    "reports/",
    "contested/",
    "replay/",
)
ACTIONS = ("run/", "pause/", "resume/", "rollback/")
VERBS = (
    "gold",
    "gold/correct",
    "gold/confirm",
    "gold/take-back",
    "ask-again",
    "exclude",
    "keep",
)


def addresses(project: Project) -> list[str]:
    image = project.images.order_by("pk").first()
    assert image is not None
    own = [f"images/{image.pk}/", f"images/{image.pk}/picture", f"images/{image.pk}/tile"]
    return [
        "/dashboard/",
        *(f"/dashboard/{project.slug}/{rest}" for rest in (*PAGES, *own)),
    ]


def actions(project: Project) -> list[str]:
    image = project.images.order_by("-pk").first()
    assert image is not None
    own = [f"images/{image.pk}/{verb}/" for verb in VERBS]
    return [f"/dashboard/{project.slug}/{rest}" for rest in (*ACTIONS, *own)]


def test_a_stranger_is_sent_to_the_login_and_back(project: Project) -> None:
    for address in addresses(project):
        answer = Client().get(address)
        assert answer.status_code == 302
        assert answer["Location"] == f"/login/?next={address}"
    for address in actions(project):
        assert Client().post(address)["Location"].startswith("/login/")


def test_a_part_that_refreshes_itself_sends_its_whole_page_to_the_login(project: Project) -> None:
    answer = Client().get(f"/dashboard/{project.slug}/round/", headers={"hx-request": "true"})
    assert answer.status_code == 401
    assert answer["HX-Redirect"] == f"/login/?next=/dashboard/{project.slug}/"


def test_outsider_oskar_and_staff_without_the_permission_are_refused(project: Project) -> None:
    oskar = client_of(User.objects.create_user("oskar"))
    for client in (oskar, staff("stella"), staff("sam", "change_image")):
        for address in addresses(project):
            assert client.get(address).status_code == 403
        for address in actions(project):
            assert client.post(address).status_code == 403
    assert Round.objects.count() == 0
    assert Gold.objects.filter(source=Gold.Source.ADMIN).count() == 0


def test_vera_looks_at_everything_and_can_do_nothing(vera: Client, project: Project) -> None:
    for address in addresses(project):
        assert vera.get(address).status_code in {200, 404}  # no picture files here
    page = vera.get(f"/dashboard/{project.slug}/").text
    for word in ("Run a Round now", "Pause", "Roll back", "Change the schedule"):
        assert word not in page
    image = project.images.order_by("-pk").first()
    assert image is not None
    assert "radio" not in vera.get(f"/dashboard/{project.slug}/images/{image.pk}/").text
    for address in actions(project):
        assert vera.post(address).status_code == 403
    project.refresh_from_db()
    assert project.status == Project.Status.ACTIVE


def test_an_action_needs_a_post_with_its_token(ada: Client, project: Project) -> None:
    strict = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    strict.force_login(User.objects.get(username="ada"))
    for address in actions(project):
        assert strict.post(address).status_code == 403
        if not address.endswith("rollback/"):  # looks first: its page says what it would do
            assert ada.get(address).status_code == 405
    assert Round.objects.count() == 0


def test_looking_never_writes(ada: Client, project: Project) -> None:
    past_rounds(project, [0.8, 0.9])
    running_round(project)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        for address in [*addresses(project), f"/dashboard/{project.slug}/rollback/"]:
            ada.get(address)
    verbs = {query["sql"].split()[0] for query in queries.captured_queries}
    assert verbs <= {"SELECT"}


def test_the_dashboard_keeps_nothing_in_shared_caches(ada: Client, project: Project) -> None:
    assert "no-store" in ada.get(f"/dashboard/{project.slug}/")["Cache-Control"]


def test_the_way_to_the_dashboard_is_shown_to_those_who_may_enter(
    ada: Client, vera: Client, project: Project
) -> None:
    cockpit = f"/dashboard/{project.slug}/"
    for client in (ada, vera):
        assert 'href="/dashboard/"' in client.get("/").text
        assert cockpit in client.get(project.get_absolute_url()).text
    oskar = client_of(User.objects.create_user("oskar"))
    for client in (Client(), oskar, staff("stella")):
        assert "/dashboard/" not in client.get("/").text
        assert "/dashboard/" not in client.get(project.get_absolute_url()).text
    assert cockpit in ada.get(f"/admin/projects/project/{project.pk}/change/").text


def test_a_project_that_is_not_there_is_not_found(ada: Client, project: Project) -> None:
    for rest in PAGES:
        assert ada.get(f"/dashboard/nowhere/{rest}").status_code == 404
    other = shapes_project(name="Other")
    image = other.images.first()
    assert image is not None
    for rest in ("", "picture", "tile"):
        assert ada.get(f"/dashboard/{project.slug}/images/{image.pk}/{rest}").status_code == 404
    for verb in VERBS:
        address = f"/dashboard/{project.slug}/images/{image.pk}/{verb}/"
        assert ada.post(address).status_code == 404
