"""Votes in the database, and the Consensus that is computed from them."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from django.db import IntegrityError, transaction

from labelhub.projects.models import Image, LabelClass, Project
from labelhub.votes.consensus import Basis
from labelhub.votes.crowd import Crowd, Skills
from labelhub.votes.models import Consensus, Vote
from labelhub.votes.parameters import first_parameters, new_parameters
from labelhub.votes.services import NewVote, record_votes, refresh_consensus, retract_votes
from tests.factories import NOON, shapes_project, visitor

pytestmark = pytest.mark.django_db


def ask(
    project: Project, image: Image, key: str, *, answer: bool, kind: Vote.Kind = Vote.Kind.YES_NO
) -> None:
    label_class = LabelClass.objects.get(project=project, key=key)
    record_votes(
        project=project,
        annotator=visitor(project),
        votes=[NewVote(image.pk, label_class.pk, answer, kind)],
        challenge="c",
        now=NOON,
    )


def probabilities(image: Image) -> np.ndarray:
    return np.frombuffer(Consensus.objects.get(image=image).probabilities, dtype="<f8")


@pytest.fixture
def project() -> Project:
    return shapes_project(images=12, gold_per_class=1)


@pytest.fixture
def image(project: Project) -> Image:
    return project.images.filter(gold__isnull=True).first()


def test_two_people_who_agree_settle_an_image(project: Project, image: Image) -> None:
    ask(project, image, "circle", answer=True)
    assert not Consensus.objects.get(image=image).settled
    ask(project, image, "circle", answer=True)
    consensus = Consensus.objects.get(image=image)
    assert consensus.settled
    assert consensus.label_class.key == "circle"
    assert consensus.humans == 2


def test_a_consensus_computed_anew_equals_the_stored_one(project: Project, image: Image) -> None:
    for answer in (True, False, True):
        ask(project, image, "cross", answer=answer)
    ask(project, image, "circle", answer=True, kind=Vote.Kind.CHOICE)
    stored = probabilities(image)
    refresh_consensus(images=[image.pk], now=NOON)
    assert probabilities(image) == pytest.approx(stored, abs=1e-12)


def test_gold_is_certain_whatever_people_say(project: Project) -> None:
    gold = project.images.filter(gold__label_class__key="circle").first()
    for _ in range(5):
        ask(project, gold, "cross", answer=True)
    consensus = Consensus.objects.get(image=gold)
    assert consensus.label_class.key == "circle"
    assert consensus.confidence == 1
    assert consensus.humans == 5


def test_a_vote_cannot_be_cast_twice(project: Project, image: Image) -> None:
    ada = visitor(project)
    circle = project.label_classes.get(key="circle")
    once = [NewVote(image.pk, circle.pk, answer=True)]
    record_votes(project=project, annotator=ada, votes=once, challenge="a", now=NOON)
    with pytest.raises(IntegrityError), transaction.atomic():
        record_votes(project=project, annotator=ada, votes=once, challenge="b", now=NOON)
    assert Vote.objects.count() == 1


def test_a_retracted_vote_stays_readable_and_counts_no_more(project: Project, image: Image) -> None:
    before = probabilities(image)
    ask(project, image, "circle", answer=True)
    vote = Vote.objects.get(image=image)
    assert retract_votes(votes=[vote], reason="slip", retracted_by_id=None, now=NOON) == [image.pk]
    assert probabilities(image) == pytest.approx(before)
    assert Vote.objects.get(image=image).answer
    assert Consensus.objects.get(image=image).humans == 0
    assert retract_votes(votes=[vote], reason="again", retracted_by_id=None, now=NOON) == []


def test_the_network_speaks_through_the_prior(project: Project, image: Image) -> None:
    model = first_parameters(project=project, now=NOON)
    prior = np.array([0.05, 0.9, 0.04, 0.01], dtype="<f4")
    basis = Basis(model, 7, {image.pk: prior.tobytes()})
    refresh_consensus(images=[image.pk], now=NOON, basis=basis)
    consensus = Consensus.objects.get(image=image)
    assert consensus.label_class.key == "cross"
    assert consensus.model_version == 7
    assert not consensus.settled  # nobody has voted


def test_what_the_holdout_is_told_never_hears_the_network(project: Project, image: Image) -> None:
    Image.objects.filter(pk=image.pk).update(holdout=True)
    prior = np.array([0.05, 0.9, 0.04, 0.01], dtype="<f4")
    basis = Basis(first_parameters(project=project, now=NOON), 7, {image.pk: prior.tobytes()})
    batch = refresh_consensus(images=[image.pk], now=NOON, basis=basis)
    assert batch.told[0] == pytest.approx(np.full(4, 0.25))
    # Its consensus may hear it: the network never trained on it.
    assert probabilities(image) == pytest.approx(batch.probabilities[0])
    assert probabilities(image).argmax() == 1


def test_an_image_is_told_enough_by_votes_or_gold_and_never_by_a_network(
    project: Project, image: Image
) -> None:
    sure = np.array([0.998, 0.001, 0.0005, 0.0005], dtype="<f4")
    basis = Basis(first_parameters(project=project, now=NOON), 7, {image.pk: sure.tobytes()})
    ask(project, image, "circle", answer=True)
    batch = refresh_consensus(images=[image.pk], now=NOON, basis=basis)
    assert (batch.settled, batch.told_enough) == ([True], [False])
    ask(project, image, "circle", answer=True)
    batch = refresh_consensus(images=[image.pk], now=NOON, basis=basis)
    assert (batch.settled, batch.told_enough) == ([True], [True])
    gold = project.images.filter(gold__isnull=False)[0]
    assert refresh_consensus(images=[gold.pk], now=NOON).told_enough == [True]


def test_images_on_different_parameters_are_each_counted_by_their_own(project: Project) -> None:
    first, second = project.images.filter(gold__isnull=True)[:2]
    later = new_parameters(
        project=project,
        crowd=Crowd(
            select_rates=np.full((4, 4), 0.1) + 0.4 * np.eye(4),
            choice_rates=np.full((4, 4), 0.25),
            skills=Skills.nobody(),
        ),
        now=NOON + timedelta(hours=1),
    )
    refresh_consensus(images=[second.pk], now=NOON, basis=Basis(later, None, {}))
    circle = project.label_classes.get(key="circle")
    record_votes(
        project=project,
        annotator=visitor(project),
        votes=[NewVote(first.pk, circle.pk, True), NewVote(second.pk, circle.pk, True)],
        challenge="c",
        now=NOON,
    )
    assert probabilities(first)[0] == pytest.approx(0.9 / (0.9 + 3 * 0.02), abs=1e-6)
    assert probabilities(second)[0] == pytest.approx(0.5 / (0.5 + 3 * 0.1), abs=1e-6)


def test_votes_of_who_stopped_counting_weigh_nothing_and_he_is_no_human_behind_an_image() -> None:
    project = shapes_project(images=12, gold_per_class=0)
    oskar, image = visitor(project), project.images.earliest("pk")
    model = first_parameters(project=project, now=NOON)
    silent = Skills(np.array([oskar.pk]), *np.zeros((3, 1)), counts=np.array([False]))
    model = new_parameters(project=project, crowd=replace(model.crowd, skills=silent), now=NOON)
    refresh_consensus(images=[image.pk], now=NOON, basis=Basis(model, None, {}))
    batch = record_votes(
        project=project,
        annotator=oskar,
        votes=[NewVote(image.pk, model.label_classes[0], answer=True)],
        challenge="",
        now=NOON,
    )
    assert list(batch.humans) == [0]
    assert batch.probabilities[0] == pytest.approx(np.full(model.classes, 1 / model.classes))
    again = refresh_consensus(images=[image.pk], now=NOON)  # a recompute finds the same
    assert again.probabilities == pytest.approx(batch.probabilities)


def test_careful_adas_vote_weighs_more_than_careless_carlas() -> None:
    project = shapes_project(images=12, gold_per_class=0)
    ada, carla = visitor(project), visitor(project)
    first, second = project.images.order_by("pk")[:2]
    model = first_parameters(project=project, now=NOON)
    skills = Skills(
        np.array([ada.pk, carla.pk]),
        hits=np.array([1.0, -1.0]),
        alarms=np.array([-1.0, 2.0]),
        choices=np.zeros(2),
        counts=np.array([True, True]),
    )
    model = new_parameters(project=project, crowd=replace(model.crowd, skills=skills), now=NOON)
    refresh_consensus(images=[first.pk, second.pk], now=NOON, basis=Basis(model, None, {}))
    sure = {}
    for annotator, image in ((ada, first), (carla, second)):
        batch = record_votes(
            project=project,
            annotator=annotator,
            votes=[NewVote(image.pk, model.label_classes[0], answer=True)],
            challenge="",
            now=NOON,
        )
        sure[annotator] = batch.probabilities[0, 0]
    assert sure[ada] > 0.95
    assert sure[carla] < 0.8
