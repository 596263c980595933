"""Label errors in the dashboard: seen with both words, decided on in one click or asked again."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from labelhub.projects.models import Gold, Image, Project
from labelhub.rounds.contradicted import AGAIN
from labelhub.rounds.label_doubts import find_label_errors
from labelhub.rounds.models import Candidate, LabelDoubts
from labelhub.rounds.progress import count_progress
from tests.dashboard.given import past_round
from tests.factories import NOON, shapes_project, true_key
from tests.rounds.test_label_doubts import choose, golden, named, open_image, say, settle

pytestmark = pytest.mark.django_db
BUDGET = 8
SCRIPT = {"hx-request": "true"}


def doubted_project(*, images: int = 60, wrong: int = 2) -> Project:
    """Some Gold of the import is wrong, and one picture that people settled."""
    project = shapes_project(images=images, gold_per_class=images // 6)
    version = past_round(project, accuracy=0.98)
    for image in project.images.all():
        say(version, image, true_key(image))
    for place in range(wrong):
        image = golden(project, place)
        say(version, image, "triangle" if true_key(image) != "triangle" else "circle", sure=0.97)
    voted = open_image(project)
    choose(project, voted, "circle", people=3)
    settle(voted, "circle")
    say(version, voted, "cross", sure=0.9)
    find_label_errors(project=project, now=NOON)
    count_progress(now=NOON)
    return project


@pytest.fixture
def doubted() -> Project:
    return doubted_project()


def plain(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").split())


def page(client: Client, project: Project, rest: str = "") -> str:
    answer = client.get(f"/dashboard/{project.slug}/label-errors/{rest}")
    assert answer.status_code == 200
    return plain(answer.text)


def decide(client: Client, image: Image, verb: str, **fields: object) -> str:
    """The page after a decision made there, without a script."""
    slug = image.project.slug
    answer = client.post(
        f"/dashboard/{slug}/images/{image.pk}/{verb}/",
        {"from": "doubted", "page": "1", **fields},
        follow=True,
    )
    back = f"/dashboard/{slug}/label-errors/?page=1&decided={image.pk}"
    assert answer.redirect_chain == [(back, 302)]
    return plain(answer.text)


def test_doubted_labels_are_shown_with_both_words_the_most_doubtful_first(
    ada: Client, doubted: Project
) -> None:
    shown = page(ada, doubted)
    assert "3 settled labels are likely wrong" in shown
    assert "Of 31 labels that votes or Gold settle" in shown
    assert "Gold, as the importer says" in shown
    assert "3 people" in shown
    assert shown.index(golden(doubted, 0).name) < shown.index(open_image(doubted).name)
    assert 'href="/dashboard/shapes/label-errors/"' in ada.get("/dashboard/shapes/").text


def test_wrong_gold_is_corrected_in_one_click_and_leaves_the_list(
    ada: Client, doubted: Project
) -> None:
    image = golden(doubted, 0)
    said = named(doubted, "triangle")
    shown = decide(ada, image, "gold/correct", label_class=said.pk)
    assert "Gold: triangle" in shown
    assert "2 settled labels are likely wrong" in shown
    gold = Gold.objects.get(image=image)
    assert (gold.label_class, gold.source) == (said, Gold.Source.ADMIN)


def test_gold_that_is_right_is_confirmed_and_never_doubted_again(
    ada: Client, doubted: Project
) -> None:
    image = golden(doubted, 0)
    assert "Gold: circle" in decide(ada, image, "gold/confirm", label_class="")
    assert Gold.objects.get(image=image).source == Gold.Source.ADMIN
    assert LogEntry.objects.get().get_change_message() == "Gold confirmed: circle."
    row = find_label_errors(project=doubted, now=NOON)
    assert image.pk not in [entry[0] for entry in row.entries]


def test_the_word_of_people_becomes_gold_or_is_asked_again(ada: Client, doubted: Project) -> None:
    image = open_image(doubted)
    assert "Asked again" in decide(ada, image, "ask-again")
    assert Candidate.objects.get(image=image).priority == AGAIN
    assert image.name not in page(ada, doubted)
    shown = decide(ada, image, "gold", label_class=named(doubted, "cross").pk)
    assert "Gold: cross" in shown
    assert Gold.objects.get(image=image).label_class.key == "cross"


def test_nobody_is_asked_about_gold_and_it_says_so(ada: Client, doubted: Project) -> None:
    image = golden(doubted, 0)
    assert "Nobody can be asked: it is Gold" in decide(ada, image, "ask-again")
    assert "It is not Gold any more" in decide(ada, open_image(doubted), "gold/confirm")


def test_an_exclusion_is_undone(ada: Client, doubted: Project) -> None:
    image = golden(doubted, 0)
    shown = decide(ada, image, "exclude")
    assert "2 settled labels are likely wrong" in shown
    assert f'action="/dashboard/shapes/images/{image.pk}/keep/"' in shown
    assert "Undone" in decide(ada, image, "keep")
    assert "3 settled labels are likely wrong" in page(ada, doubted)


def test_a_script_gets_the_decided_card_alone_and_the_title_anew(
    ada: Client, doubted: Project
) -> None:
    image = golden(doubted, 0)
    decide(ada, image, "gold/confirm")
    address = f"/dashboard/shapes/label-errors/?page=1&decided={image.pk}"
    shown = plain(ada.get(address, headers=SCRIPT).text)
    assert shown.startswith("<li")
    assert "2 settled labels are likely wrong" in shown
    for other in (shapes_project(name="Other").images.all()[0].pk, open_image(doubted, 5).pk):
        address = f"/dashboard/shapes/label-errors/?decided={other}"
        assert ada.get(address, headers=SCRIPT).status_code == 404


def test_vera_sees_the_list_and_can_say_nothing(vera: Client, doubted: Project) -> None:
    shown = page(vera, doubted)
    assert "3 settled labels are likely wrong" in shown
    assert "Ask again" not in shown
    assert 'data-key="1" disabled' in shown


def test_a_label_that_changed_meanwhile_is_not_shown(ada: Client, doubted: Project) -> None:
    settle(open_image(doubted), "cross")
    assert "2 settled labels are likely wrong" in page(ada, doubted)


def test_before_anybody_has_looked_and_where_nothing_is_doubted_the_page_says_so(
    ada: Client, project: Project
) -> None:
    shown = page(ada, project)
    assert "No labels were looked at yet" in shown
    assert "When a version has ranked every picture" in shown
    version = past_round(project, accuracy=0.9)
    LabelDoubts.objects.create(project=project, model_version=version, labels=12, suspected=0)
    assert "No label is doubted" in page(ada, project)


def test_the_page_costs_as_much_with_many_doubts_as_with_one(ada: Client) -> None:
    costs = []
    for name, wrong in (("Few", 1), ("Many", 70)):
        project = doubted_project(images=480, wrong=wrong)
        Project.objects.filter(pk=project.pk).update(name=name, slug=name.lower())
        project.refresh_from_db()
        page(ada, project)
        with CaptureQueriesContext(connection) as queries:
            shown = page(ada, project)
        costs.append(len(queries))
    assert costs[0] == costs[1] <= BUDGET
    assert shown.count('id="picture-') == 60
    assert "Page 1 of 2" in shown
