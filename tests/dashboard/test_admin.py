"""The admin over every model: each page opens, and what the product writes cannot be touched."""

import re
from collections import Counter

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from labelhub.challenges.services import issue_challenge, submit_answer
from labelhub.projects.models import LabelClass, Project
from labelhub.projects.selectors import catalogue
from labelhub.rounds.models import Candidate, Round
from labelhub.votes.models import Retraction, Vote
from labelhub.votes.services import retract_votes
from tests.factories import NOON, dice, shapes_project, visitor

pytestmark = pytest.mark.django_db
OURS = ("projects", "annotators", "votes", "rounds", "challenges")
TOUCHABLE = {"Project", "LabelClass", "Annotator"}
MODELS = [model for label in OURS for model in apps.get_app_config(label).get_models()]


@pytest.fixture
def boss() -> Client:
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create_superuser("boss", password="boss"))
    return client


@pytest.fixture
def project() -> Project:
    """A project with a row in most tables."""
    project = shapes_project()
    ada = visitor(project)
    challenge = issue_challenge(annotator=ada, now=NOON, generator=dice())
    submit_answer(annotator=ada, public_id=challenge.public_id, selected=[0], now=NOON)
    retract_votes(votes=Vote.objects.all()[:1], reason="slip", retracted_by_id=None, now=NOON)
    assert Retraction.objects.count() == 1
    return project


def test_every_model_is_in_the_admin() -> None:
    assert [model.__name__ for model in MODELS if model not in admin.site._registry] == []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_list_and_row_opens_and_only_settings_can_be_changed(
    model, boss: Client, project: Project
) -> None:
    base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert boss.get(reverse(f"{base}_changelist")).status_code == 200
    row = model.objects.first()
    if row is not None:
        page = boss.get(reverse(f"{base}_change", args=[row.pk]))
        assert page.status_code == 200
        assert (b'name="_save"' in page.content) == (model.__name__ in TOUCHABLE)
    assert boss.get(reverse(f"{base}_add")).status_code == 403


def test_what_was_asked_and_said_is_listed_in_words_whichever_form_it_had(
    boss: Client, project: Project
) -> None:
    Candidate.objects.filter(project=project, queue="open").update(form="choice")
    Project.objects.update(asks_choices=True)
    eve, cross = visitor(project), project.label_classes.get(key="cross")
    challenge = issue_challenge(annotator=eve, now=NOON, generator=dice())
    submit_answer(annotator=eve, public_id=challenge.public_id, selected=[cross.pk], now=NOON)
    issue_challenge(annotator=eve, now=NOON, generator=dice())  # not answered yet
    asked = boss.get(reverse("admin:challenges_challenge_changelist")).text
    assert sorted(re.findall('"field-asked">(.*?)<', asked)) == ["all classes"] * 2 + ["circle"]
    said = boss.get(reverse("admin:challenges_tile_changelist")).text
    words = Counter(re.findall('"field-said">(.*?)<', said))
    assert words == {"cross": 1, "yes to circle": 1, "-": 1 + 8}
    image = challenge.tiles.get().image_id
    page = boss.get(reverse("dashboard:image", args=[project.slug, image])).text
    assert "chose cross" in page


def test_a_project_with_votes_is_not_offered_for_deletion(boss: Client, project: Project) -> None:
    address = reverse("admin:projects_project_delete", args=[project.pk])
    assert boss.get(address).status_code == 403
    assert "delete_selected" not in boss.get(reverse("admin:projects_project_changelist")).text


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_outsider_oskar_is_sent_to_the_login(model, project: Project) -> None:
    oskar = Client(headers={"host": "localhost"})
    oskar.force_login(User.objects.create_user("oskar", password="oskar"))
    base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    answer = oskar.get(reverse(f"{base}_changelist"))
    assert answer.status_code == 302
    assert "login" in answer.headers["Location"]


def act(boss: Client, project: Project, action: str) -> str:
    page = boss.post(
        reverse("admin:projects_project_changelist"),
        {"action": action, "_selected_action": [project.pk]},
        follow=True,
    )
    return page.content.decode()


def test_run_now_opens_one_round_and_says_so_when_one_is_open(
    boss: Client, project: Project
) -> None:
    assert "Round 1 of Shapes is on its way" in act(boss, project, "run_round_now")
    assert "Shapes has a Round under way" in act(boss, project, "run_round_now")
    opened = Round.objects.get()
    assert opened.trigger == Round.Trigger.PERSON
    assert opened.opened_by is not None


def test_run_now_with_too_few_labels_says_what_is_missing(boss: Client) -> None:
    poor = shapes_project(name="Poor", gold_per_class=0)
    assert "a Round needs at least 10" in act(boss, poor, "run_round_now")


def test_a_rollback_without_a_version_says_so(boss: Client, project: Project) -> None:
    assert "no model version in service" in act(boss, project, "roll_back_now")


def test_the_schedule_is_set_in_the_admin_and_nonsense_is_refused(
    boss: Client, project: Project
) -> None:
    address = reverse("admin:projects_project_change", args=[project.pk])
    form = boss.get(address).context["adminform"].form
    values = {name: form.initial.get(name, "") for name in form.fields}
    boss.post(address, {**values, "retrain_every_minutes": 7})
    project.refresh_from_db()
    assert project.retrain_every_minutes == 7
    refused = boss.post(address, {**values, "retrain_every_minutes": 0})
    assert b"greater than or equal to 1" in refused.content


def test_the_recipe_is_chosen_in_the_admin_which_says_when_to_choose_which(
    boss: Client, project: Project
) -> None:
    address = reverse("admin:projects_project_change", args=[project.pk])
    page = boss.get(address)
    assert "choose seed where tens of thousands of pictures have labels" in page.text
    form = page.context["adminform"].form
    values = {name: form.initial.get(name, "") for name in form.fields}
    refused = boss.post(address, {**values, "recipe": "alchemy"})
    assert "alchemy is not one of the available choices" in refused.text
    boss.post(address, {**values, "recipe": "seed"})
    project.refresh_from_db()
    assert project.recipe == "seed"


def test_what_is_asked_is_set_in_the_admin_and_nonsense_is_refused(
    boss: Client, project: Project
) -> None:
    address = reverse("admin:projects_project_change", args=[project.pk])
    form = boss.get(address).context["adminform"].form
    values = {name: form.initial.get(name, "") for name in form.fields}
    wished = {"asks_choices": True, "acquisition": "entropy", "random_share": 0.5, "check_share": 0}
    boss.post(address, {**values, **wished})
    project.refresh_from_db()
    assert {name: getattr(project, name) for name in wished} == wished
    for share in ("random_share", "check_share"):
        refused = boss.post(address, {**values, share: 1.01})
        assert b"less than or equal to 1" in refused.content
    assert b"is not one of the available choices" in (
        boss.post(address, {**values, "acquisition": "guesswork"}).content
    )


def test_a_changed_class_is_shown_by_every_process_at_once(boss: Client, project: Project) -> None:
    assert catalogue(project).entries[0].name == "circle"
    circle = LabelClass.objects.get(project=project, key="circle")
    boss.post(
        reverse("admin:projects_labelclass_change", args=[circle.pk]),
        {"name": "a round thing", "question": "", "texts": "{}"},
    )
    project.refresh_from_db()
    assert catalogue(project).entries[0].name == "a round thing"


def test_markup_in_a_name_is_shown_as_text(boss: Client) -> None:
    shapes_project(name="<script>alert(1)</script>", slug="x")
    page = boss.get(reverse("admin:projects_project_changelist")).content
    assert b"<script>alert(1)" not in page
    assert b"&lt;script&gt;alert(1)" in page
