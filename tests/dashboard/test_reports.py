"""Reported pictures in the dashboard: seen, decided on, and taken back in."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from labelhub.challenges.models import Report
from labelhub.challenges.reporting import Reported
from labelhub.challenges.services import issue_challenge, submit_answer
from labelhub.projects.models import Image, Project
from labelhub.rounds.models import Candidate
from labelhub.rounds.progress import count_progress
from tests.factories import NOON, dice, shapes_project, visitor

pytestmark = pytest.mark.django_db
REPORTS_BUDGET = 8


@pytest.fixture
def nine() -> Project:
    """Nine open pictures: every grid shows them all."""
    project = shapes_project(images=9, gold_per_class=0)
    count_progress(now=NOON)
    return project


def report(project: Project, image: Image, reason: str) -> None:
    person = visitor(project)
    challenge = issue_challenge(annotator=person, now=NOON, generator=dice())
    submit_answer(
        annotator=person,
        public_id=challenge.public_id,
        selected=[],
        reported=Reported((challenge.tiles.get(image=image).place,), reason),
        now=NOON,
    )


def first(project: Project) -> Image:
    return project.images.order_by("pk")[0]


def page(client: Client, project: Project, rest: str = "reports/") -> str:
    answer = client.get(f"/dashboard/{project.slug}/{rest}")
    assert answer.status_code == 200
    return " ".join(answer.text.replace("\u00a0", " ").split())


def decide(client: Client, image: Image, verb: str) -> str:
    """The page of reports after a decision made there."""
    slug = image.project.slug
    answer = client.post(
        f"/dashboard/{slug}/images/{image.pk}/{verb}/", {"from": "reports"}, follow=True
    )
    assert answer.redirect_chain == [(f"/dashboard/{slug}/reports/", 302)]
    return " ".join(answer.text.split())


def test_reported_pictures_need_an_admin_and_are_shown_with_what_people_say(
    ada: Client, nine: Project
) -> None:
    image = first(nine)
    assert "reported picture" not in page(ada, nine, "")
    report(nine, image, "broken")
    assert "1 reported picture." in page(ada, nine, "")
    assert "1 reported picture." in ada.get("/dashboard/").text
    shown = page(ada, nine)
    assert "1 × broken or blank" in shown
    assert "Still asked about." in shown
    report(nine, image, "unfit")
    shown = page(ada, nine)
    assert "1 reported picture waits for you" in shown
    assert "1 × broken or blank, 1 × not fit to be shown" in shown
    assert "Nobody is asked about it until you decide." in shown
    said = page(ada, nine, f"images/{image.pk}/")
    assert "People reported it: 1 × broken or blank, 1 × not fit to be shown." in said


def test_ada_excludes_a_reported_picture_and_takes_it_back_in(ada: Client, nine: Project) -> None:
    image = first(nine)
    for reason in ("broken", "broken"):
        report(nine, image, reason)
    shown = decide(ada, image, "exclude")
    assert f"{image.name} is excluded. Its votes are kept; it can be taken back in." in shown
    assert "No reported picture waits for you" in shown
    assert "Excluded pictures" in shown
    assert "reported picture." not in page(ada, nine, "")
    image.refresh_from_db()
    assert image.status == Image.Status.EXCLUDED
    boss = User.objects.get(username="ada")
    assert set(Report.objects.values_list("decision", "decided_by")) == {("excluded", boss.pk)}
    shown = decide(ada, image, "keep")
    assert f"{image.name} stays: it counts, and is asked about." in shown
    assert "Excluded pictures" not in shown
    assert Candidate.objects.filter(image=image).exists()
    log = LogEntry.objects.filter(object_id=str(image.pk)).order_by("pk")
    assert [(row.user, row.get_change_message()) for row in log] == [
        (boss, "Excluded."),
        (boss, "Kept."),
    ]
    said = page(ada, nine, f"images/{image.pk}/")
    assert said.index("Kept.") < said.index("Excluded.")


def test_a_kept_picture_is_asked_about_again(ada: Client, nine: Project) -> None:
    image = first(nine)
    for _ in range(2):
        report(nine, image, "unclear")
    assert not Candidate.objects.filter(image=image).exists()
    assert "No reported picture waits for you" in decide(ada, image, "keep")
    assert Candidate.objects.filter(image=image).exists()
    assert set(Report.objects.values_list("decision", flat=True)) == {"kept"}


def test_a_picture_that_nobody_reported_is_excluded_from_its_own_page(
    ada: Client, nine: Project
) -> None:
    image = first(nine)
    address = f"/dashboard/{nine.slug}/images/{image.pk}/"
    answer = ada.post(f"{address}exclude/", follow=True)
    assert answer.redirect_chain == [(address, 302)]
    assert "It is excluded: nobody is asked about it" in answer.text
    assert "Take it back in" in answer.text


def test_excluded_pictures_are_in_no_count_of_the_dashboard(ada: Client) -> None:
    project = shapes_project(gold_per_class=1)
    for gold in project.images.filter(gold__isnull=False):
        ada.post(f"/dashboard/{project.slug}/images/{gold.pk}/exclude/")
    count_progress(now=NOON)
    stats = ada.get(f"/dashboard/{project.slug}/stats.json").json()
    assert [row["gold"] for row in stats["classes"]] == [0, 0, 0, 0]
    assert [row["images"] for row in stats["classes"]] == [0, 0, 0, 0]
    assert "No Gold for circle, cross and triangle." in page(ada, project, "")
    assert "No Gold for circle, cross and triangle." in ada.get("/dashboard/").text


def test_vera_sees_the_reports_and_decides_nothing(vera: Client, nine: Project) -> None:
    report(nine, first(nine), "broken")
    assert "1 × broken or blank" in page(vera, nine)
    for rest in ("reports/", f"images/{first(nine).pk}/"):
        shown = page(vera, nine, rest)
        assert "/exclude/" not in shown
        assert "/keep/" not in shown


def test_the_page_of_reports_costs_as_much_with_one_as_with_many(
    ada: Client, nine: Project
) -> None:
    costs = []
    for image in nine.images.order_by("pk")[:4]:
        report(nine, image, "broken")
        page(ada, nine)
        with CaptureQueriesContext(connection) as queries:
            page(ada, nine)
        costs.append(len(queries))
    assert set(costs) == {costs[0]}
    assert costs[0] <= REPORTS_BUDGET
