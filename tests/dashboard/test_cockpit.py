"""The cockpit of one project: what it says in every state, and what it costs."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labelhub.challenges.services import issue_challenge, submit_answer
from labelhub.projects.models import LabelClass, Progress, Project
from labelhub.projects.services import add_examples, create_project
from labelhub.rounds.models import Round
from labelhub.rounds.progress import count_progress
from labelhub.rounds.selectors import FIRST_LEAST
from tests.dashboard.given import past_round, past_rounds, predict, running_round
from tests.factories import NOON, add_shapes, dice, shapes_project, visitor

pytestmark = pytest.mark.django_db
PROJECTS_BUDGET = 7
COCKPIT_BUDGET = 18  # four of them for the error of what is settled


def words_of(client: Client, address: str) -> str:
    """The page with its spaces made plain."""
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.text.replace("\u00a0", " ").split())


def cockpit(client: Client, project: Project) -> str:
    return words_of(client, f"/dashboard/{project.slug}/")


def close(project: Project, *, state: Round.State, outcome: str = "", reason: str = "") -> Round:
    return Round.objects.create(
        project=project,
        number=project.rounds.count() + 1,
        state=state,
        outcome=outcome,
        reason=reason,
        opened_at=NOON,
        finished_at=NOON,
    )


def test_without_a_project_the_list_says_what_to_do(ada: Client) -> None:
    page = words_of(ada, "/dashboard/")
    assert "No project yet" in page
    assert "create_project" in page


def test_the_list_shows_each_project_with_its_progress_and_needs(
    ada: Client, project: Project
) -> None:
    past_round(project, accuracy=0.91)
    create_project(name="Traffic", class_names=["a bus", "a bicycle"])
    paused = shapes_project(name="Rest", status=Project.Status.PAUSED)
    running_round(paused)
    page = words_of(ada, "/dashboard/")
    assert "20 % of 60 pictures settled" in page
    assert "network 91 %" in page
    assert "Nothing needs you." in page
    assert "No pictures counted yet." in page
    assert "Round 1 is running" in page
    assert "Paused: no grids are served" in page


def test_an_empty_project_says_how_its_pictures_come_in(ada: Client) -> None:
    project = create_project(name="Traffic", class_names=["a bus", "a bicycle"])
    page = cockpit(ada, project)
    assert "No pictures counted yet." in page
    assert "manage.py import_images traffic FOLDER" in page
    assert "No network serves yet" in page
    assert "No Round yet" in page


def test_the_first_answer_counts_from_the_progress_row(ada: Client, project: Project) -> None:
    Progress.objects.filter(project=project).update(
        images=12_000, voted=9_000, settled=4_800, votes=31_400
    )
    page = cockpit(ada, project)
    for words in ("40 %", "12,000", "9,000", "75 %", "4,800", "31,400"):
        assert words in page


def test_a_provisional_accuracy_says_so_and_on_what_it_was_measured(
    ada: Client, project: Project
) -> None:
    past_round(project, accuracy=66 / 72)
    page = cockpit(ada, project)
    assert "92 %" in page
    assert "provisional" in page
    assert "Right on 66 of 72 Gold pictures, cross-validated." in page
    assert "between 83 % and 96 %" in page  # Wilson's interval of 66 in 72
    past_round(project, accuracy=0.9, provisional=False)
    page = cockpit(ada, project)
    assert "Right on 65 of 72 holdout pictures." in page
    assert "No network ever trains on the holdout" in page


def test_nothing_needs_an_admin_when_nothing_does(ada: Client, project: Project) -> None:
    assert "Nothing needs you." in cockpit(ada, project)


def test_classes_without_gold_are_named(ada: Client) -> None:
    project = shapes_project(gold_per_class=0)
    count_progress(now=NOON)
    page = cockpit(ada, project)
    assert "No Gold for circle, cross and triangle." in page
    assert "0 of the 10 pictures with Gold or votes that a Round needs." in page


def test_a_paused_project_offers_to_resume(ada: Client) -> None:
    page = cockpit(ada, shapes_project(status=Project.Status.PAUSED))
    assert "Paused: no grids are served and no Round starts by itself." in page
    assert "Resume" in page
    assert "Paused: none starts by itself." in page


def test_a_running_round_shows_its_stage_its_loss_and_the_time_left(
    ada: Client, project: Project
) -> None:
    running_round(project, fraction=0.4)
    page = cockpit(ada, project)
    for words in (
        "Round 1 is running",
        "It trains network 2 of 3.",
        "37 seconds",
        "0.413",
        'width="40.0%"',
        'hx-trigger="every 2s"',
    ):
        assert words in page


def test_a_round_that_nobody_takes_is_noticed(ada: Client, project: Project) -> None:
    Round.objects.create(project=project, number=1, opened_at=timezone.now() - timedelta(minutes=7))
    page = cockpit(ada, project)
    assert "Round 1 has waited for 7 minutes." in page
    assert "It waits for a training worker." in page


def test_a_refused_round_says_why(ada: Client, project: Project) -> None:
    past_round(project, accuracy=0.9)
    past_round(project, accuracy=0.7, promoted=False)
    page = cockpit(ada, project)
    assert "Round 2 was refused: right on 70.0% of 72 Gold images, cross-validated." in page
    assert "90 % after Round 1" in page
    assert "A cross is a refused Round" in page


def test_when_no_round_was_good_enough_that_is_said(ada: Client, project: Project) -> None:
    past_round(project, accuracy=0.2, promoted=False)
    page = cockpit(ada, project)
    assert "No network serves yet: none so far was good enough." in page
    assert "No Round was promoted yet" in page


def test_a_failed_round_says_why_and_what_still_serves(ada: Client, project: Project) -> None:
    close(project, state=Round.State.FAILED, reason="the loss is not a number")
    page = cockpit(ada, project)
    assert "Round 1 failed: the loss is not a number." in page
    assert "What served before goes on serving." in page
    assert "No Round has measured anything" in page


def test_the_parts_ask_for_a_refresh_when_the_round_has_moved(
    ada: Client, project: Project
) -> None:
    running = running_round(project)
    address = f"/dashboard/{project.slug}/round/"
    assert "HX-Trigger" not in ada.get(address, {"seen": "1-training"}).headers
    Round.objects.filter(pk=running.pk).update(
        state="done", outcome="promoted", reason="right on 9 of 10", finished_at=NOON
    )
    moved = ada.get(address, {"seen": "1-training"})
    assert "round-moved" in moved["HX-Trigger"]
    assert "Round 1 was promoted" in moved.text
    assert 'hx-swap-oob="true"' in ada.get(f"/dashboard/{project.slug}/answers/").text


@pytest.mark.parametrize(
    ("accuracies", "title"),
    [
        ([], "No Round has measured anything"),
        ([0.83], "83 % after Round 1"),
        ([0.83, 0.91], "91 % after Round 2, 8 points above Round 1"),
        ([0.83, 0.84], "84 % after Round 2, 1 point above Round 1"),
        ([0.83, 0.834], "83 % after Round 2, as after Round 1"),
        ([0.83, 0.80], "80 % after Round 2, 3 points below Round 1"),
        ([0.5 + place / 250 for place in range(100)], "90 % after Round 100, 40 points above"),
    ],
)
def test_the_plots_title_states_the_finding(
    accuracies: list[float], title: str, ada: Client, project: Project
) -> None:
    past_rounds(project, accuracies)
    page = cockpit(ada, project)
    assert title in page
    assert ("data-plot=" in page) == bool(accuracies)
    assert ("92 earlier Rounds are in the CSV." in page) == (len(accuracies) == 100)


def test_the_title_names_the_version_that_serves_after_a_rollback(
    ada: Client, project: Project
) -> None:
    past_rounds(project, [0.7, 0.8, 0.9])
    project.model_versions.update(serving=False)
    project.model_versions.filter(number=2).update(serving=True)
    assert "80 % after Round 2, 10 points above Round 1" in cockpit(ada, project)


def test_images_of_which_nothing_is_known_are_of_no_class(ada: Client, project: Project) -> None:
    page = cockpit(ada, project)
    assert "Every class has as many pictures: 33 % each" in page
    assert "Of 48 pictures no class is likely yet." in page


def test_a_grid_in_which_nobody_selected_anything_gives_no_picture_a_class(ada: Client) -> None:
    project = shapes_project(gold_per_class=0)
    person = visitor(project)
    grid = issue_challenge(annotator=person, now=NOON, generator=dice())
    submit_answer(annotator=person, public_id=grid.public_id, selected=[], now=NOON)
    count_progress(now=NOON)
    page = cockpit(ada, project)
    assert "No picture has a likely class yet" in page
    assert "Of 60 pictures no class is likely yet." in page
    told = ada.get(f"/dashboard/{project.slug}/stats.json").json()
    assert told["voted"] == 9
    assert {one["images"] for one in told["classes"]} == {0}


def test_the_pictures_in_doubt_are_the_open_ones_with_the_reason(
    ada: Client, project: Project
) -> None:
    assert "The 24 pictures that need an answer most" in cockpit(ada, project)
    version = past_round(project, accuracy=0.9)
    *open_ones, shown = project.images.filter(gold__isnull=True).order_by("pk")[:4]
    add_examples(label_class=project.label_classes.all()[0], images=[shown])
    predict(version, [*open_ones, shown, *project.images.filter(gold__isnull=False)])
    page = cockpit(ada, project)
    assert "The 3 pictures that the network is least sure of" in page
    for image in open_ones:
        assert f"/dashboard/{project.slug}/images/{image.pk}/" in page


@pytest.mark.parametrize(
    ("opened", "news", "words"),
    [
        (timedelta(minutes=1), 60, "Next possible:"),
        (timedelta(hours=1), 60, "140 more pictures with new votes and it starts."),
        (timedelta(hours=1), 200, "It is due and starts within seconds."),
    ],
)
def test_the_schedule_is_said_in_words(
    *,
    opened: timedelta,
    news: int,
    words: str,
    ada: Client,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("labelhub.dashboard.selectors.images_with_news", lambda project: news)
    Project.objects.filter(pk=project.pk).update(retrain_every_minutes=5)
    past_round(project, accuracy=0.9, opened_at=timezone.now() - opened)
    page = cockpit(ada, project)
    assert f"Every 5 minutes if at least 200 pictures have new votes; {news} have now." in page
    assert words in page


def test_before_a_network_serves_a_small_project_waits_for_a_fifth_of_its_pictures(
    ada: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelhub.dashboard.selectors.images_with_news", lambda project: 3)
    least = max(FIRST_LEAST, project.progress.images // 5)
    page = cockpit(ada, project)
    assert f"Every minute if at least {least} pictures have new votes; 3 have now." in page
    assert f"{least - 3} more pictures with new votes and it starts." in page


def test_markup_in_names_and_reasons_is_shown_as_text(ada: Client) -> None:
    attack = "</script><script>alert(1)</script>"
    project = shapes_project(name=attack, slug="x", description=attack)
    LabelClass.objects.filter(project=project).update(name=attack)
    image = project.images.order_by("-pk").first()
    assert image is not None
    project.images.update(name=attack)
    close(project, state=Round.State.FAILED, reason=attack)
    past_round(project, accuracy=0.9)
    for rest in ("", "answers/", "round/", "details/", f"images/{image.pk}/", "rollback/"):
        page = ada.get(f"/dashboard/x/{rest}")
        assert page.status_code == 200
        assert attack not in page.text
    assert attack not in ada.get("/dashboard/").text


def queries_of(client: Client, address: str) -> int:
    client.get(address)  # warms the catalogue
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


def test_the_cockpit_costs_as_much_with_one_round_as_with_a_hundred(
    ada: Client, project: Project
) -> None:
    address = f"/dashboard/{project.slug}/"
    predict(past_round(project, accuracy=0.8), list(project.images.all()))
    few = queries_of(ada, address)
    past_rounds(project, [0.8] * 99)
    add_shapes(project, count=100, start=60)
    predict(past_round(project, accuracy=0.9), list(project.images.all()))
    running_round(project)
    count_progress(now=NOON)
    assert queries_of(ada, address) == few
    assert few <= COCKPIT_BUDGET


def test_the_list_costs_as_much_with_one_project_as_with_ten(ada: Client, project: Project) -> None:
    few = queries_of(ada, "/dashboard/")
    for number in range(9):
        past_round(shapes_project(name=f"Shapes {number}", images=6), accuracy=0.8)
    assert queries_of(ada, "/dashboard/") == few
    assert few <= PROJECTS_BUDGET
