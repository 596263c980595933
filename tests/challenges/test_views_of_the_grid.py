"""The doors of the grid: every reply code, what is written, and what it costs."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from labelhub.annotators.models import Annotator
from labelhub.challenges import services, views
from labelhub.challenges.models import Challenge
from labelhub.projects.models import Project
from labelhub.votes.models import Vote
from tests.challenges.given import (
    SCRIPT,
    address,
    assert_within_budget,
    right_places,
    someone_who_answered,
    statements,
)
from tests.factories import shapes_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return shapes_project()


def visit(project: Project) -> tuple[Client, Challenge]:
    """A new visitor who pressed Start."""
    client = Client()
    client.post(f"/p/{project.slug}/grid/")
    return client, Challenge.objects.latest("pk")


def test_start_leads_to_a_page_with_nine_nameless_squares(project: Project) -> None:
    client = Client()
    start = client.post(f"/p/{project.slug}/grid/")
    page = client.get(start["Location"])
    assert start.status_code == 303
    assert page.status_code == 200
    for number in range(1, 10):
        assert f"Square {number} of 9" in page.text
    assert page.text.count('name="selected"') == 9


def test_nothing_on_the_page_tells_a_picture_from_another(project: Project) -> None:
    client, challenge = visit(project)
    page = client.get(address(challenge)).text
    for tile in challenge.tiles.select_related("image"):
        assert tile.image.sha256 not in page
        assert tile.image.name not in page
    assert page.count(address(challenge, "sheet")) == 9 + 1  # the tiles, and one for the script


def test_coming_back_gives_the_same_grid_and_wastes_no_images(project: Project) -> None:
    client, challenge = visit(project)
    again = client.post(f"/p/{project.slug}/grid/")
    assert again["Location"] == address(challenge)
    assert Challenge.objects.count() == 1


def test_the_script_gets_the_grid_after_the_one_on_the_screen(project: Project) -> None:
    client, challenge = visit(project)
    body = {"keep": challenge.public_id}
    reply = client.post(f"/p/{project.slug}/grid/", body, headers=SCRIPT)
    following = Challenge.objects.latest("pk")
    assert reply.status_code == 200
    assert following != challenge
    assert f'data-grid="{following.public_id}"' in reply.text
    assert "<html" not in reply.text


def test_without_a_script_an_answer_leads_to_the_next_grid_with_a_word(project: Project) -> None:
    client, challenge = visit(project)
    sent = client.post(address(challenge, "answer"), {"selected": right_places(challenge)})
    page = client.get(sent["Location"])
    known = Challenge.objects.get(pk=challenge.pk).reply["known"]
    assert sent.status_code == 303
    assert f"{known} of {known} known ones right." in page.text
    assert Challenge.objects.latest("pk").public_id in sent["Location"]


def test_the_script_gets_totals_and_a_word(project: Project) -> None:
    client, challenge = visit(project)
    body = {"selected": right_places(challenge)}
    reply = client.post(address(challenge, "answer"), body, headers=SCRIPT)
    assert reply.status_code == 200
    totals = {"judged", "known", "right", "settled", "images", "reported"}
    assert set(reply.json()) == totals | {"word"}
    assert reply.json()["judged"] == Vote.objects.count() == 9


def test_the_same_answer_again_gets_the_same_reply_and_adds_no_vote(project: Project) -> None:
    client, challenge = visit(project)
    body = {"selected": [0, 3]}
    first = client.post(address(challenge, "answer"), body, headers=SCRIPT)
    again = client.post(address(challenge, "answer"), body, headers=SCRIPT)
    assert (again.status_code, again.json()) == (200, first.json())
    assert Vote.objects.count() == 9


def test_another_answer_to_a_spent_grid_is_409_and_the_first_stands(project: Project) -> None:
    client, challenge = visit(project)
    client.post(address(challenge, "answer"), {"selected": [0]}, headers=SCRIPT)
    for headers in (SCRIPT, {}):
        reply = client.post(address(challenge, "answer"), {"selected": [1]}, headers=headers)
        assert reply.status_code == 409
        assert "That one stands." in reply.text
    assert Challenge.objects.get(pk=challenge.pk).answer == [0]


def test_a_late_answer_is_410_and_adds_no_vote(project: Project) -> None:
    client, challenge = visit(project)
    Challenge.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.post(address(challenge, "answer"), {"selected": [0]}).status_code == 410
    assert client.get(address(challenge)).status_code == 410
    assert not Vote.objects.exists()


def test_outsider_oskar_can_neither_see_nor_answer_adas_grid(project: Project) -> None:
    _, challenge = visit(project)
    stranger = Client()
    visitor, _ = visit(project)
    for oskar in (stranger, visitor):
        for reply in (
            oskar.get(address(challenge)),
            oskar.get(address(challenge, "sheet")),
            oskar.post(address(challenge, "answer"), {"selected": [0]}),
            oskar.post(address(challenge, "skip")),
        ):
            assert reply.status_code == 404
    assert Challenge.objects.get(pk=challenge.pk).state == Challenge.State.OPEN


def test_a_stranger_who_answers_gets_no_row(project: Project) -> None:
    _, challenge = visit(project)
    before = Annotator.objects.count()
    assert Client().post(address(challenge, "answer"), {"selected": [0]}).status_code == 404
    assert Annotator.objects.count() == before


@pytest.mark.parametrize("selected", [["9"], ["-1"], ["0", "0"], ["x"], list("0" * 26)])
def test_an_answer_out_of_range_is_400_and_the_grid_stays_open(
    project: Project, selected: list[str]
) -> None:
    client, challenge = visit(project)
    reply = client.post(address(challenge, "answer"), {"selected": selected})
    assert reply.status_code == 400
    assert Challenge.objects.get(pk=challenge.pk).state == Challenge.State.OPEN
    assert not Vote.objects.exists()


def test_skipping_gives_another_grid_and_adds_no_vote(project: Project) -> None:
    client, challenge = visit(project)
    reply = client.post(address(challenge, "skip"))
    assert reply.status_code == 303
    assert challenge.public_id not in reply["Location"]
    assert client.post(address(challenge, "skip"), headers=SCRIPT).status_code == 204
    assert client.get(address(challenge)).status_code == 409
    assert not Vote.objects.exists()


def test_an_answered_grid_shows_what_was_said_to_it(project: Project) -> None:
    client, challenge = visit(project)
    client.post(address(challenge, "answer"), {"selected": right_places(challenge)})
    page = client.get(address(challenge))
    assert "known ones right" in page.text
    assert "Next question" in page.text


def test_when_nothing_is_left_the_page_says_so_with_the_last_word() -> None:
    client, challenge = visit(shapes_project(images=9, gold_per_class=0))
    reply = client.post(address(challenge, "answer"), {"selected": [0]})
    assert reply.status_code == 200
    assert "9 pictures counted." in reply.text
    assert "You have seen every picture" in reply.text


def test_a_project_without_pictures_says_so(project: Project) -> None:
    empty = shapes_project(name="Empty", images=0)
    reply = Client().post(f"/p/{empty.slug}/grid/")
    assert "This project has no pictures yet." in reply.text


def test_asking_an_empty_project_twice_makes_one_annotator() -> None:
    empty = shapes_project(images=0)
    client = Client()
    client.post(f"/p/{empty.slug}/grid/")
    client.post(f"/p/{empty.slug}/grid/")
    assert Annotator.objects.count() == 1


def test_a_paused_project_or_annotator_is_served_no_grid(project: Project) -> None:
    client, _ = visit(project)
    Annotator.objects.update(paused=True)
    assert "Your answers are paused" in client.post(f"/p/{project.slug}/grid/").text
    Project.objects.update(status=Project.Status.PAUSED)
    reply = client.post(f"/p/{project.slug}/grid/", headers=SCRIPT)
    assert reply.status_code == 403
    assert "This project is paused" in reply.text


def test_an_unknown_project_is_404() -> None:
    assert Client().get("/p/nowhere/").status_code == 404
    assert Client().post("/p/nowhere/grid/").status_code == 404
    assert not Annotator.objects.exists()


def test_a_get_never_writes(project: Project) -> None:
    client, challenge = visit(project)
    with CaptureQueriesContext(connection) as queries:
        for page in ("/", "/login/", f"/p/{project.slug}/", address(challenge)):
            assert client.get(page).status_code == 200
            Client().get(page)
        client.head(f"/p/{project.slug}/")
    assert [sql for sql in statements(queries) if not sql.startswith(("SELECT", "PRAGMA"))] == []


def test_crawlers_and_link_previews_get_no_grid(project: Project) -> None:
    crawler = Client()
    assert crawler.get(f"/p/{project.slug}/grid/").status_code == 405
    crawler.get(f"/p/{project.slug}/")
    assert not Annotator.objects.exists()
    assert not Challenge.objects.exists()
    assert set(crawler.cookies) == {"csrftoken"}


@pytest.fixture(params=["visitor", "user"])
def annotating(request: pytest.FixtureRequest, project: Project) -> Client:
    """Someone who answered a grid already."""
    return someone_who_answered(request.param, project, right_places)


@pytest.mark.django_db(transaction=True)
def test_a_whole_grid_takes_six_queries_and_its_answer_fourteen(
    annotating: Client, project: Project
) -> None:
    assert_within_budget(annotating, project, right_places)


def test_an_answer_brings_the_grid_after_the_one_on_the_screen(project: Project) -> None:
    client, first = visit(project)
    shown = client.post(f"/p/{project.slug}/grid/", {"keep": first.public_id}, headers=SCRIPT)
    second = Challenge.objects.latest("pk")
    assert second.public_id in shown.text
    body = {"selected": right_places(first), "keep": second.public_id}
    reply = client.post(address(first, "answer"), body, headers=SCRIPT)
    third = Challenge.objects.latest("pk")
    assert third.pk not in {first.pk, second.pk}
    assert f'data-grid="{third.public_id}"' in reply.json()["next"]
    assert address(third, "sheet") in reply.json()["next"]
    # Sent again, as after a lost connection: the same word and the same next grid.
    again = client.post(address(first, "answer"), body, headers=SCRIPT)
    assert again.json()["word"] == reply.json()["word"]
    assert f'data-grid="{third.public_id}"' in again.json()["next"]
    assert Challenge.objects.count() == 3


def test_an_answer_that_is_taken_stays_taken_when_nothing_comes_after_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, challenge = visit(project)
    Project.objects.update(status=Project.Status.PAUSED)
    body = {"selected": right_places(challenge), "keep": ""}
    reply = client.post(address(challenge, "answer"), body, headers=SCRIPT)
    assert reply.status_code == 200
    assert 'data-state="paused"' in reply.json()["next"]
    assert Vote.objects.count() == 9


def test_an_answer_that_asks_for_no_grid_gets_none(project: Project) -> None:
    client, challenge = visit(project)
    reply = client.post(address(challenge, "answer"), {"selected": []}, headers=SCRIPT)
    assert "next" not in reply.json()
    assert Challenge.objects.count() == 1


def test_a_picture_gone_from_the_folder_is_a_404_and_the_grid_can_be_skipped(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    client, challenge = visit(project)
    assert client.get(address(challenge, "sheet")).status_code == 404
    assert "is not in the folder any more" in caplog.text
    assert client.post(address(challenge, "skip")).status_code == 303


def test_a_damaged_picture_is_a_404_and_the_grid_can_be_skipped(
    project: Project,
    caplog: pytest.LogCaptureFixture,
    settings: Settings,
    tmp_path: Path,
) -> None:
    settings.DATA_DIR = tmp_path
    client, challenge = visit(project)
    for sha256 in challenge.tiles.values_list("image__sha256", flat=True):
        path = tmp_path / "pictures" / sha256[:2] / f"{sha256}.tile"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing of use")
    assert client.get(address(challenge, "sheet")).status_code == 404
    assert f"grid {challenge.public_id} cannot be shown" in caplog.text
    assert client.post(address(challenge, "skip")).status_code == 303


def locked(**_: object) -> None:
    raise OperationalError("database is locked")


def test_an_answer_that_was_stored_is_told_although_the_next_grid_failed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, first = visit(project)
    monkeypatch.setattr(services, "plan_grid", lambda **_: None)  # none comes along at once
    monkeypatch.setattr(views, "issue_challenge", locked)
    body = {"selected": right_places(first), "keep": ""}
    reply = client.post(address(first, "answer"), body, headers=SCRIPT)
    assert reply.status_code == 200
    assert "next" not in reply.json()  # the script asks for it by itself
    assert "known ones right" in reply.json()["word"]
    assert Vote.objects.count() == 9
    page = client.post(address(first, "answer"), {"selected": right_places(first)}, follow=True)
    assert page.redirect_chain == [(address(first), 303)]
    assert "This question is answered" in page.text
    assert Vote.objects.count() == 9


def test_a_database_that_is_locked_is_503_for_scripts_and_for_people(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, challenge = visit(project)
    monkeypatch.setattr(views, "submit_answer", locked)
    monkeypatch.setattr(views, "submit_answer_and_issue", locked)
    for headers, words in ((SCRIPT, "Nothing was stored"), ({"accept": "text/html"}, "<html")):
        reply = client.post(address(challenge, "answer"), {"selected": [0]}, headers=headers)
        assert reply.status_code == 503
        assert int(reply["Retry-After"]) > 0
        assert words in reply.text


def test_a_question_of_several_lines_keeps_its_words_apart(project: Project) -> None:
    project.label_classes.update(question="Pick the pictures\nthat show <b>it</b>\u2028whole")
    Project.objects.update(catalogue_version=F("catalogue_version") + 1)
    client, challenge = visit(project)
    page = client.get(address(challenge)).text
    assert "Pick the pictures that show &lt;b&gt;it&lt;/b&gt; whole" in page


def test_a_request_without_the_forms_token_is_refused(project: Project) -> None:
    assert Client(enforce_csrf_checks=True).post(f"/p/{project.slug}/grid/").status_code == 403
    assert not Annotator.objects.exists()
