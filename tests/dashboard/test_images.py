"""The page of one picture: what is known of it, and marking it as Gold."""

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from labelhub.challenges.models import Challenge
from labelhub.challenges.services import issue_challenge, submit_answer
from labelhub.projects.models import Gold, Image, LabelClass, Project
from labelhub.projects.pictures import clean_array, store
from labelhub.projects.services import NewImage, add_examples, add_images
from labelhub.rounds.models import Candidate
from labelhub.rounds.queueing import requeue
from labelhub.votes.models import Consensus, Vote
from labelhub.votes.services import NewVote, record_votes, refresh_consensus, retract_votes
from tests.dashboard.given import past_round, predict
from tests.factories import NOON, dice, visitor

pytestmark = pytest.mark.django_db
IMAGE_BUDGET = 12


def open_image(project: Project) -> Image:
    return project.images.filter(gold__isnull=True).order_by("pk")[0]


def named(project: Project, key: str) -> LabelClass:
    return LabelClass.objects.get(project=project, key=key)


def vote(project: Project, image: Image, key: str, *, answer: bool) -> None:
    record_votes(
        project=project,
        annotator=visitor(project),
        votes=[NewVote(image.pk, named(project, key).pk, answer)],
        challenge="c",
        now=NOON,
    )


def page_of(client: Client, image: Image) -> str:
    answer = client.get(f"/dashboard/{image.project.slug}/images/{image.pk}/")
    assert answer.status_code == 200
    return " ".join(answer.text.replace("\u00a0", " ").split())


def mark(client: Client, image: Image, value: object) -> str:
    address = f"/dashboard/{image.project.slug}/images/{image.pk}/"
    answer = client.post(f"{address}gold/", {"label_class": value}, follow=True)
    assert answer.redirect_chain == [(address, 302)]
    return answer.text


def test_a_picture_shows_its_votes_in_order_and_what_both_sides_say(
    ada: Client, project: Project
) -> None:
    image = open_image(project)
    vote(project, image, "circle", answer=True)
    vote(project, image, "cross", answer=False)
    slip = Vote.objects.order_by("pk")[:1]
    predict(past_round(project, accuracy=0.9), [image])
    page = page_of(ada, image)
    assert page.index("yes to circle") < page.index("no to cross")
    assert "visitor" in page
    assert "the network, version 1" in page
    retract_votes(votes=slip, reason="a slip", retracted_by_id=None, now=NOON)
    assert "retracted: a slip" in page_of(ada, image)


def test_a_pictures_place_in_the_project_is_said(ada: Client, project: Project) -> None:
    image = open_image(project)
    Image.objects.filter(pk=image.pk).update(holdout=True)
    assert "holdout: never trained on" in page_of(ada, image)
    assert "Nothing is known of it yet" in page_of(ada, image)
    known = project.images.filter(gold__isnull=False)[0]
    assert "Gold: " in page_of(ada, known)
    assert "settled" in page_of(ada, known)


def test_ada_marks_a_picture_as_gold(ada: Client, project: Project) -> None:
    image = open_image(project)
    assert "Marked as Gold: cross." in mark(ada, image, named(project, "cross").pk)
    gold = Gold.objects.get(image=image)
    assert gold.source == Gold.Source.ADMIN
    assert gold.created_by == User.objects.get(username="ada")
    assert Consensus.objects.get(image=image).settled
    assert Candidate.objects.get(image=image).queue == Candidate.Queue.GOLD
    assert "as ada says" in page_of(ada, image)
    assert "Marked as Gold" in mark(ada, image, named(project, "cross").pk)  # the same word twice


def test_gold_of_another_class_is_refused_in_words(ada: Client, project: Project) -> None:
    image = open_image(project)
    mark(ada, image, named(project, "cross").pk)
    assert "It is Gold of cross" in mark(ada, image, named(project, "circle").pk)
    assert Gold.objects.get(image=image).label_class.key == "cross"


def act(client: Client, image: Image, verb: str, **fields: object) -> str:
    """The page of a picture after something was done to it, in plain spaces."""
    address = f"/dashboard/{image.project.slug}/images/{image.pk}/"
    answer = client.post(f"{address}{verb}/", fields, follow=True)
    assert answer.redirect_chain == [(address, 302)]
    return " ".join(answer.text.replace("\u00a0", " ").split())


def test_ada_corrects_gold_and_it_grades_by_the_new_class_from_then_on(
    ada: Client, project: Project
) -> None:
    person = visitor(project)
    challenge = issue_challenge(annotator=person, now=NOON, generator=dice())
    submit_answer(annotator=person, public_id=challenge.public_id, selected=[], now=NOON)
    graded = Challenge.objects.values().get(pk=challenge.pk)
    tile = challenge.tiles.filter(reason="gold", image__gold__label_class__key="circle")[0]
    page = act(ada, tile.image, "gold/correct", label_class=named(project, "cross").pk)
    assert "Corrected: it is Gold of cross. Grades given before stand." in page
    assert "Gold corrected: cross, not circle." in page
    gold = Gold.objects.get(image=tile.image)
    assert (gold.label_class.key, gold.source) == ("cross", Gold.Source.ADMIN)
    assert gold.created_by == User.objects.get(username="ada")
    assert Consensus.objects.get(image=tile.image).label_class.key == "cross"
    candidate = Candidate.objects.get(image=tile.image)
    assert (candidate.queue, candidate.label_class.key) == (Candidate.Queue.GOLD, "cross")
    assert Challenge.objects.values().get(pk=challenge.pk) == graded


def test_gold_that_is_taken_back_rests_on_its_votes_and_is_asked_about(
    ada: Client, project: Project
) -> None:
    image = open_image(project)
    for _ in range(2):
        vote(project, image, "circle", answer=True)
    batch = refresh_consensus(images=[image.pk], now=NOON)
    requeue(project=project, batch=batch, release=True)
    before = Consensus.objects.get(image=image)
    place = Candidate.objects.values().get(image=image)
    mark(ada, image, named(project, "cross").pk)
    page = act(ada, image, "gold/take-back")
    assert "Gold no more" in page
    assert page.index("Gold taken back: cross.") < page.index("Marked as Gold: cross.")
    assert not Gold.objects.filter(image=image).exists()
    after = Consensus.objects.get(image=image)
    assert bytes(after.probabilities) == bytes(before.probabilities)
    assert (after.settled, after.humans) == (before.settled, 2)
    again = Candidate.objects.values().get(image=image)
    for name in ("queue", "label_class_id", "priority", "probability", "shuffle"):
        assert again[name] == place[name]
    assert "It is not Gold any more." in act(ada, image, "gold/take-back")
    assert "It is not Gold any more." in act(
        ada, image, "gold/correct", label_class=named(project, "cross").pk
    )


def test_gold_of_an_excluded_picture_is_taken_back_without_asking_about_it(
    ada: Client, project: Project
) -> None:
    image = project.images.filter(gold__isnull=False)[0]
    act(ada, image, "exclude")
    act(ada, image, "gold/take-back")
    assert not Candidate.objects.filter(image=image).exists()
    assert not Consensus.objects.get(image=image).settled


def test_a_correction_to_the_same_class_changes_nothing(ada: Client, project: Project) -> None:
    image = project.images.filter(gold__isnull=False)[0]
    before = Gold.objects.values().get(image=image)
    act(ada, image, "gold/correct", label_class=before["label_class_id"])
    assert Gold.objects.values().get(image=image) == before


def test_an_example_and_an_excluded_picture_cannot_become_gold(
    ada: Client, project: Project
) -> None:
    shown, excluded = project.images.filter(gold__isnull=True).order_by("pk")[:2]
    add_examples(label_class=named(project, "circle"), images=[shown])
    Image.objects.filter(pk=excluded.pk).update(status=Image.Status.EXCLUDED)
    for image, words in ((shown, "as an example of circle"), (excluded, "is excluded")):
        assert "radio" not in page_of(ada, image)
        assert words in mark(ada, image, named(project, "circle").pk)
        assert not Gold.objects.filter(image=image).exists()


@pytest.mark.parametrize("value", ["", "0", "round", "9" * 40])
def test_a_class_that_is_not_there_is_refused(value: str, ada: Client, project: Project) -> None:
    image = open_image(project)
    page = mark(ada, image, value)
    assert "Choose the class" in page or "no such class" in page
    assert not Gold.objects.filter(image=image).exists()


def test_a_picture_is_private_and_of_a_fixed_type(ada: Client, project: Project) -> None:
    picture = clean_array(np.full((32, 32, 3), 90, dtype=np.uint8), "grey.png")
    store(picture)
    new = NewImage(picture.sha256, picture.name, 32, 32)
    image = add_images(project=project, pictures=[new], now=NOON).added[0]
    assert "Nobody is asked about this picture." in page_of(ada, image)
    for kind in ("picture", "tile"):
        address = f"/dashboard/{project.slug}/images/{image.pk}/{kind}"
        first = ada.get(address)
        assert (first.status_code, first["Content-Type"]) == (200, "image/png")
        assert first["X-Content-Type-Options"] == "nosniff"
        assert first["Cache-Control"] == "private, max-age=86400"
        again = ada.get(address, headers={"if-none-match": first["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_a_picture_whose_file_is_gone_is_not_found(ada: Client, project: Project) -> None:
    image = open_image(project)
    assert ada.get(f"/dashboard/{project.slug}/images/{image.pk}/tile").status_code == 404


def test_a_picture_costs_as_much_with_one_vote_as_with_a_hundred(
    ada: Client, project: Project
) -> None:
    image = open_image(project)
    predict(past_round(project, accuracy=0.9), [image])
    costs = []
    for votes in (1, 99):
        for _ in range(votes):
            vote(project, image, "circle", answer=True)
        page_of(ada, image)
        with CaptureQueriesContext(connection) as queries:
            page_of(ada, image)
        costs.append(len(queries))
    assert costs[0] == costs[1] <= IMAGE_BUDGET
