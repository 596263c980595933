"""The doors of choices: what the page holds, every reply code, what is written, what it costs."""

import io
import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image as Pillow
from pytest_django import Settings

from labelhub.challenges.models import Challenge, Report
from labelhub.challenges.pages import question_markup
from labelhub.projects.models import LabelClass, Project
from labelhub.projects.pictures import clean_array, store
from labelhub.projects.services import add_examples
from labelhub.rounds.models import Candidate
from labelhub.votes.models import Vote
from tests.challenges.given import (
    SCRIPT,
    address,
    assert_within_budget,
    best_as_choices,
    class_of,
    someone_who_answered,
)
from tests.factories import shapes_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return best_as_choices(shapes_project(asks_choices=True))


def visit(project: Project) -> tuple[Client, Challenge]:
    """A new visitor who pressed Start."""
    client = Client()
    client.post(f"/p/{project.slug}/grid/")
    challenge = Challenge.objects.latest("pk")
    assert challenge.form == Challenge.Form.CHOICE
    return client, challenge


def test_the_page_has_a_button_for_every_class_and_none_of_these_last(project: Project) -> None:
    client, challenge = visit(project)
    page = client.get(address(challenge)).text
    assert "<title>What is this? · Shapes</title>" in page
    buttons = re.findall(r'<button [^>]*name="selected" value="(\d+)"[^>]*>(.*?)</button>', page)
    names = [re.sub(r"<kbd.*?</kbd>|<[^>]+>", "", words) for _, words in buttons]
    assert names == ["circle", "cross", "triangle", "None of these"]
    classes = project.label_classes.order_by("position").values_list("pk", flat=True)
    assert [int(value) for value, _ in buttons] == list(classes)
    assert re.findall(r'aria-keyshortcuts="(\d)"', page) == ["1", "2", "3", "0"]
    assert page.count(address(challenge, "sheet")) == 1 + 1  # shown, and told to the script


def test_nothing_on_the_page_tells_what_the_picture_shows(project: Project) -> None:
    client, challenge = visit(project)
    page, image = client.get(address(challenge)).text, challenge.tiles.get().image
    for secret in (image.sha256, image.name, challenge.tiles.get().reason):
        assert secret not in page


def test_thirty_classes_have_nine_number_keys_and_one_for_none() -> None:
    thirty = shapes_project(images=0)
    LabelClass.objects.bulk_create(
        LabelClass(project=thirty, key=f"c{n}", name=f"class {n}", position=10 + n)
        for n in range(27)
    )
    Project.objects.update(catalogue_version=F("catalogue_version") + 1)
    thirty.refresh_from_db()
    markup = question_markup(
        project=thirty, challenge=Challenge(public_id="x", places=1), csrf_token="t"
    )
    assert markup.count('name="selected"') == 31
    assert re.findall(r'aria-keyshortcuts="(\d)"', markup) == [*"1234567890"]
    assert markup.index("class 26") < markup.index("None of these")
    assert "choice-many" in markup


def test_a_class_is_shown_with_an_example_where_it_has_one(project: Project) -> None:
    circle = project.label_classes.get(key="circle")
    image = project.images.all()[0]
    add_examples(label_class=circle, images=[image])
    client, challenge = visit(project)
    page = client.get(address(challenge)).text
    assert page.count('class="choice-example"') == 1
    assert reverse("example", args=[project.slug, image.pk]) in page


def test_names_full_of_markup_stay_text(project: Project) -> None:
    project.label_classes.update(name="<b>it</b>")
    Project.objects.update(catalogue_version=F("catalogue_version") + 1)
    client, challenge = visit(project)
    page = client.get(address(challenge)).text
    assert page.count("&lt;b&gt;it&lt;/b&gt;") == 3
    assert "<b>it</b>" not in page


def test_without_a_script_an_answer_leads_to_the_next_question_with_a_word(
    project: Project,
) -> None:
    client, challenge = visit(project)
    sent = client.post(address(challenge, "answer"), {"selected": class_of(challenge)})
    page = client.get(sent["Location"])
    assert sent.status_code == 303
    assert "1 picture counted." in page.text
    assert Challenge.objects.latest("pk").public_id in sent["Location"]
    assert "This question is answered" in client.get(address(challenge)).text


def test_the_script_gets_totals_a_word_and_the_next_question(project: Project) -> None:
    client, challenge = visit(project)
    body = {"selected": class_of(challenge), "keep": ""}
    reply = client.post(address(challenge, "answer"), body, headers=SCRIPT)
    following = Challenge.objects.latest("pk")
    assert reply.json()["word"].startswith("1 picture counted.")
    assert f'data-grid="{following.public_id}"' in reply.json()["next"]
    assert address(following, "answer") in reply.json()["next"]
    again = client.post(address(challenge, "answer"), body, headers=SCRIPT).json()
    assert (again["word"], again["judged"]) == (reply.json()["word"], 1)
    assert Vote.objects.count() == 1


def test_a_grid_follows_a_choice_and_a_choice_a_grid(project: Project) -> None:
    client, challenge = visit(project)
    Candidate.objects.filter(project=project, queue="open").update(form="grid")
    body = {"selected": class_of(challenge), "keep": ""}
    grid = client.post(address(challenge, "answer"), body, headers=SCRIPT).json()["next"]
    assert grid.count('type="checkbox" name="selected"') == 9
    best_as_choices(project)
    shown = Challenge.objects.latest("pk")
    reply = client.post(address(shown, "answer"), {"selected": [0], "keep": ""}, headers=SCRIPT)
    assert 'class="button choice"' in reply.json()["next"]


@pytest.mark.parametrize("selected", [[], ["1", "2"], ["x"], ["0"], ["-1"], ["9" * 30]])
def test_an_answer_that_names_no_class_of_the_question_is_400_and_it_stays_open(
    project: Project, selected: list[str]
) -> None:
    client, challenge = visit(project)
    for headers in (SCRIPT, {}):
        reply = client.post(address(challenge, "answer"), {"selected": selected}, headers=headers)
        assert reply.status_code == 400
        assert "This answer could not be read" in reply.text
    assert Challenge.objects.get(pk=challenge.pk).state == Challenge.State.OPEN
    assert not Vote.objects.exists()


def test_another_answer_is_409_a_late_one_410_and_neither_counts(project: Project) -> None:
    client, challenge = visit(project)
    client.post(address(challenge, "answer"), {"selected": class_of(challenge)}, headers=SCRIPT)
    other = {"selected": class_of(challenge, right=False)}
    assert client.post(address(challenge, "answer"), other).status_code == 409
    client, late = visit(project)
    Challenge.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    body = {"selected": class_of(late)}
    assert client.post(address(late, "answer"), body).status_code == 410
    assert client.get(address(late)).status_code == 410
    assert Vote.objects.count() == 1


def test_outsider_oskar_can_neither_see_nor_answer_adas_choice(project: Project) -> None:
    _, challenge = visit(project)
    oskar, _ = visit(project)
    for reply in (
        oskar.get(address(challenge)),
        oskar.get(address(challenge, "sheet")),
        oskar.post(address(challenge, "answer"), {"selected": class_of(challenge)}),
        oskar.post(address(challenge, "skip")),
    ):
        assert reply.status_code == 404
    assert not Vote.objects.exists()


def test_the_plain_form_skips_and_reports(project: Project) -> None:
    client, first = visit(project)
    assert client.post(address(first, "skip")).status_code == 303
    second = Challenge.objects.latest("pk")
    body = {"reported": "0", "reason": "unfit"}
    said = client.post(address(second, "answer"), body, headers=SCRIPT).json()
    assert said["word"].startswith("1 picture reported.")
    assert Report.objects.get().reason == "unfit"
    third_client, third = visit(project)
    body = {"selected": class_of(third), "reason": "unfit"}  # as the form is: nothing is reported
    third_client.post(address(third, "answer"), body)
    assert Report.objects.count() == 1
    assert Vote.objects.count() == 1


def test_the_picture_comes_at_its_full_size(
    project: Project, settings: Settings, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    wide = clean_array(np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8), "wide")
    store(wide)
    client, challenge = visit(project)
    image = challenge.tiles.get().image
    assert client.get(address(challenge, "sheet")).status_code == 404  # it is not in the folder
    image.sha256 = wide.sha256
    image.save(update_fields=["sha256"])
    sheet = client.get(address(challenge, "sheet"))
    assert sheet["Content-Type"] == "image/jpeg"
    assert Pillow.open(io.BytesIO(sheet.content)).size == (300, 200)


@pytest.fixture(params=["visitor", "user"])
def annotating(request: pytest.FixtureRequest, project: Project) -> Client:
    """Someone who answered already."""
    return someone_who_answered(request.param, project, class_of)


@pytest.mark.django_db(transaction=True)
def test_a_whole_choice_takes_six_queries_and_its_answer_fourteen(
    annotating: Client, project: Project
) -> None:
    assert_within_budget(annotating, project, class_of)
    assert set(Challenge.objects.values_list("form", flat=True)) == {"choice"}
