"""Contested pictures: seen with what people said, decided on in one click, and that undone."""

import numpy as np
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from labelhub.projects.models import Gold, Image, LabelClass, Project
from labelhub.projects.services import add_examples
from labelhub.rounds.contested import contested
from labelhub.rounds.models import Candidate
from labelhub.rounds.progress import count_progress
from labelhub.rounds.queueing import MANY_PEOPLE, requeue
from labelhub.votes.models import Consensus, Vote
from labelhub.votes.services import NewVote, record_votes
from tests.factories import NOON, shapes_project, visitor

pytestmark = pytest.mark.django_db
CONTESTED_BUDGET = 7
SCRIPT = {"hx-request": "true"}


def named(project: Project, key: str) -> LabelClass:
    return LabelClass.objects.get(project=project, key=key)


def disagree(project: Project, images: list[Image], *, people: int = MANY_PEOPLE) -> None:
    """So many people judge the images: circle, says one, and the next says cross."""
    for place in range(people):
        chosen = named(project, ("circle", "cross")[place % 2])
        batch = record_votes(
            project=project,
            annotator=visitor(project),
            votes=[NewVote(image.pk, chosen.pk, True, Vote.Kind.CHOICE) for image in images],
            challenge="c",
            now=NOON,
        )
        requeue(project=project, batch=batch, release=True)


@pytest.fixture
def disputed(project: Project) -> Project:
    """Three pictures that seven people cannot agree on, and one that six cannot."""
    images = list(project.images.filter(gold__isnull=True).order_by("pk")[:4])
    disagree(project, images[:3], people=8)
    disagree(project, images[3:], people=MANY_PEOPLE - 1)
    count_progress(now=NOON)
    return project


def first(project: Project) -> Image:
    found = contested(project=project)[0].image
    assert isinstance(found, Image)
    return found


def plain(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").split())


def page(client: Client, project: Project, rest: str = "contested/") -> str:
    answer = client.get(f"/dashboard/{project.slug}/{rest}")
    assert answer.status_code == 200
    return plain(answer.text)


def decide(client: Client, image: Image, verb: str, **fields: object) -> str:
    """The page of contested pictures after a decision made there, without a script."""
    slug = image.project.slug
    answer = client.post(
        f"/dashboard/{slug}/images/{image.pk}/{verb}/",
        {"from": "contested", "page": "1", **fields},
        follow=True,
    )
    back = f"/dashboard/{slug}/contested/?page=1&decided={image.pk}"
    assert answer.redirect_chain == [(back, 302)]
    return plain(answer.text)


def test_pictures_that_many_people_could_not_settle_wait_for_an_admin(
    ada: Client, disputed: Project
) -> None:
    assert "3 contested pictures." in page(ada, disputed, "")
    assert "3 contested pictures." in plain(ada.get("/dashboard/").text)
    assert ada.get(f"/dashboard/{disputed.slug}/stats.json").json()["contested"] == 3
    shown = page(ada, disputed)
    assert "3 contested pictures wait for you" in shown
    assert "8 people" in shown
    assert shown.count("chosen 4×") == 3 * 2
    assert "50 %" in shown


def test_the_most_doubtful_come_first_and_what_one_more_person_settled_is_gone(
    ada: Client, disputed: Project
) -> None:
    images = [row.image for row in contested(project=disputed)]
    clearer = images[0]
    record_votes(
        project=disputed,
        annotator=visitor(disputed),
        votes=[NewVote(clearer.pk, named(disputed, "circle").pk, True, Vote.Kind.CHOICE)],
        challenge="c",
        now=NOON,
    )
    assert [row.image for row in contested(project=disputed)] == [*images[1:], clearer]
    Consensus.objects.filter(image=images[1]).update(settled=True)
    shown = page(ada, disputed)
    assert "2 contested pictures wait for you" in shown
    assert images[1].name not in shown


def test_nothing_is_contested_until_many_people_have_judged_it(
    ada: Client, project: Project
) -> None:
    assert "contested" not in page(ada, project, "")
    shown = page(ada, project)
    assert "No picture is contested" in shown
    assert "when 7 people or more have judged it and no class is sure" in shown


def test_a_picture_that_is_sure_and_lacks_people_is_not_contested(
    ada: Client, project: Project
) -> None:
    """The project asks for nine people; eight agree. More people will do."""
    image = project.images.filter(gold__isnull=True)[0]
    Project.objects.filter(pk=project.pk).update(min_humans=9)
    for _ in range(8):
        record_votes(
            project=project,
            annotator=visitor(project),
            votes=[NewVote(image.pk, named(project, "cross").pk, True, Vote.Kind.CHOICE)],
            challenge="c",
            now=NOON,
        )
    assert not Consensus.objects.get(image=image).settled
    assert "No picture is contested" in page(ada, project)


def test_examples_and_excluded_pictures_are_not_contested(ada: Client, disputed: Project) -> None:
    shown, excluded, _left = (row.image for row in contested(project=disputed))
    add_examples(label_class=named(disputed, "circle"), images=[shown])
    Image.objects.filter(pk=excluded.pk).update(status=Image.Status.EXCLUDED)
    count_progress(now=NOON)
    assert "1 contested picture waits for you" in page(ada, disputed)
    assert "1 contested picture." in page(ada, disputed, "")


def test_one_click_makes_it_gold_and_one_takes_that_back(ada: Client, disputed: Project) -> None:
    image = first(disputed)
    before = Consensus.objects.get(image=image)
    shown = decide(ada, image, "gold", label_class=named(disputed, "cross").pk)
    assert f"{image.name}</a> <strong>Gold: cross</strong>" in shown
    assert "2 contested pictures wait for you" in shown
    gold = Gold.objects.get(image=image)
    assert (gold.label_class.key, gold.source) == ("cross", Gold.Source.ADMIN)
    assert f"/images/{image.pk}/gold/take-back/" in shown
    shown = decide(ada, image, "gold/take-back")
    assert f"{image.name}</a> <strong>Undone</strong>" in shown
    assert "3 contested pictures wait for you" in shown
    after = Consensus.objects.get(image=image)
    was, now_is = (np.frombuffer(bytes(one.probabilities)) for one in (before, after))
    assert now_is == pytest.approx(was)  # votes may be added up in another order
    words = LogEntry.objects.filter(object_id=str(image.pk)).order_by("pk")
    assert [row.get_change_message() for row in words] == [
        "Marked as Gold: cross.",
        "Gold taken back: cross.",
    ]


def test_one_click_excludes_it_and_one_takes_it_back_in(ada: Client, disputed: Project) -> None:
    image = first(disputed)
    shown = decide(ada, image, "exclude")
    assert "<strong>Excluded</strong>" in shown
    assert "2 contested pictures wait for you" in shown
    assert not Candidate.objects.filter(image=image).exists()
    assert f"/images/{image.pk}/keep/" in shown
    assert "3 contested pictures wait for you" in decide(ada, image, "keep")
    assert Candidate.objects.filter(image=image).exists()


def test_a_script_gets_the_one_picture_with_what_was_decided_and_what_is_left(
    ada: Client, disputed: Project
) -> None:
    image = first(disputed)
    answer = ada.post(
        f"/dashboard/{disputed.slug}/images/{image.pk}/gold/",
        {"from": "contested", "page": "1", "label_class": named(disputed, "circle").pk},
        headers=SCRIPT,
        follow=True,
    )
    shown = plain(answer.text)
    assert shown.startswith(f'<li class="contested contested-done" id="picture-{image.pk}"')
    assert "Gold: circle" in shown
    assert "2 contested pictures wait for you" in shown
    assert shown.count("<li") == 1
    assert "Marked as Gold" not in page(ada, disputed)  # said once, with the picture


def test_what_somebody_else_decided_meanwhile_is_said_and_stands(
    ada: Client, disputed: Project
) -> None:
    image = first(disputed)
    bob = Client(headers={"host": "localhost"})
    bob.force_login(User.objects.create_superuser("bob"))
    decide(bob, image, "gold", label_class=named(disputed, "circle").pk)
    shown = decide(ada, image, "gold", label_class=named(disputed, "cross").pk)
    assert "It is Gold of circle, as bob says." in shown
    assert Gold.objects.get(image=image).label_class.key == "circle"


def test_vera_sees_what_is_contested_and_decides_nothing(vera: Client, disputed: Project) -> None:
    shown = page(vera, disputed)
    assert "chosen 4×" in shown
    assert "/exclude/" not in shown
    assert shown.count(" disabled>") == shown.count('class="verdict ')


@pytest.mark.parametrize("rest", ["?page=x", "?page=99", "?decided=x", "?decided=" + "9" * 30])
def test_an_address_that_was_bent_shows_the_page_all_the_same(
    rest: str, ada: Client, disputed: Project
) -> None:
    assert "3 contested pictures wait for you" in page(ada, disputed, f"contested/{rest}")


def test_another_projects_picture_is_not_shown_here(ada: Client, disputed: Project) -> None:
    other = shapes_project(name="Other").images.all()[0]
    address = f"/dashboard/{disputed.slug}/contested/?decided={other.pk}"
    assert "picture-" not in ada.get(address, headers=SCRIPT).text
    assert ada.get(address, headers=SCRIPT).status_code == 404
    assert (
        other.name not in page(ada, disputed, f"contested/?decided={other.pk}").partition("<h1")[0]
    )


def test_a_hundred_are_on_a_page_and_it_costs_as_much_as_with_one(ada: Client) -> None:
    project = shapes_project(images=130, gold_per_class=1)
    costs, images = [], list(project.images.filter(gold__isnull=True).order_by("pk"))
    for more in (images[:1], images[1:120]):
        disagree(project, more)
        page(ada, project)
        with CaptureQueriesContext(connection) as queries:
            shown = page(ada, project)
        costs.append(len(queries))
    assert costs[0] == costs[1] <= CONTESTED_BUDGET
    assert "120 contested pictures wait for you" in shown
    assert shown.count('id="picture-') == 100
    assert "Page 1 of 2" in shown
    assert page(ada, project, "contested/?page=2").count('id="picture-') == 20
