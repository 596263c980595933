"""Votes that nobody should cast and that come all the same: refused, or numbers and no nonsense."""

import csv
import json

import numpy as np
import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction

from labelhub.annotators.models import Annotator
from labelhub.projects.models import Gold, Image, Project
from labelhub.projects.services import GoldContradiction
from labelhub.rounds.models import Candidate
from labelhub.rounds.queueing import mark_gold, requeue
from labelhub.votes.consensus import UnknownClass, UnknownImage
from labelhub.votes.models import Consensus, Vote
from labelhub.votes.parameters import first_parameters
from labelhub.votes.services import NewVote, record_votes, refresh_consensus
from tests.factories import NOON, shapes_project, visitor
from workers.snapshot import take_snapshot

pytestmark = pytest.mark.django_db
NOWHERE = 10**6  # the id of no image and of no class


@pytest.fixture
def project() -> Project:
    return shapes_project(images=12, gold_per_class=1)


def cast(project: Project, *votes: NewVote) -> None:
    """One new person's votes, in a transaction that a refusal gives up."""
    with transaction.atomic():
        record_votes(
            project=project, annotator=visitor(project), votes=votes, challenge="c", now=NOON
        )


def unlabelled(project: Project) -> Image:
    return project.images.filter(gold=None).earliest("pk")


def circle(project: Project) -> int:
    return project.label_classes.get(key="circle").pk


def test_a_vote_on_an_unknown_image_is_refused_with_all_that_came_along(project: Project) -> None:
    known = NewVote(unlabelled(project).pk, circle(project), answer=True)
    unknown = NewVote(NOWHERE, circle(project), answer=True)
    for votes in ([unknown], [known, unknown]):
        with pytest.raises(UnknownImage):
            cast(project, *votes)
    assert not Vote.objects.exists()
    assert not Consensus.objects.filter(humans__gt=0).exists()


def test_a_vote_on_another_projects_image_is_refused(project: Project) -> None:
    other = shapes_project(name="Others", images=12, gold_per_class=1)
    theirs = NewVote(unlabelled(other).pk, circle(other), answer=True)
    with pytest.raises(UnknownImage, match=f"Shapes has no image {theirs.image_id}"):
        cast(project, theirs)
    assert not Vote.objects.exists()
    assert not Consensus.objects.filter(humans__gt=0).exists()


def test_a_vote_for_an_unknown_class_is_refused(project: Project) -> None:
    other = shapes_project(name="Others", images=12, gold_per_class=1)
    for label_class in (NOWHERE, circle(other)):
        with pytest.raises(UnknownClass, match=str(label_class)):
            cast(project, NewVote(unlabelled(project).pk, label_class, answer=True))
    assert not Vote.objects.exists()


def test_the_same_vote_twice_in_one_answer_is_refused_whole(project: Project) -> None:
    once = NewVote(unlabelled(project).pk, circle(project), answer=True)
    with pytest.raises(IntegrityError):
        cast(project, once, once)
    assert not Vote.objects.exists()


def test_an_image_is_never_gold_of_two_classes(project: Project) -> None:
    classes = {row.key: row for row in project.label_classes.all()}
    image = unlabelled(project)

    def mark(key: str) -> None:
        mark_gold(
            project=project,
            gold={image.pk: classes[key]},
            source=Gold.Source.ADMIN,
            created_by_id=None,
            now=NOON,
        )

    mark("cross")
    mark("cross")
    with pytest.raises(GoldContradiction, match=r"'cross' already, not 'circle'"):
        mark("circle")
    assert Gold.objects.get(image=image).label_class == classes["cross"]
    assert Consensus.objects.get(image=image).label_class == classes["cross"]


def voted_by_many(project: Project, image: Image, people: int) -> None:
    """Half of them say that it is a circle, half that it is a cross."""
    said = [project.label_classes.get(key=key).pk for key in ("circle", "cross")]
    crowd = Annotator.objects.bulk_create(
        Annotator(project=project, key=f"person {number}") for number in range(people)
    )
    Vote.objects.bulk_create(
        Vote(
            project=project,
            annotator=person,
            image=image,
            label_class_id=said[number % 2],
            answer=True,
            challenge="c",
        )
        for number, person in enumerate(crowd)
    )
    batch = refresh_consensus(images=[image.pk], now=NOON)
    requeue(project=project, batch=batch, release=True)


@pytest.mark.parametrize("gold", [False, True], ids=["open", "Gold that half contradict"])
def test_five_hundred_people_on_one_image_leave_numbers_everywhere(
    project: Project, *, gold: bool
) -> None:
    image = project.images.filter(gold__isnull=not gold).earliest("pk")
    voted_by_many(project, image, 500)
    consensus = Consensus.objects.get(image=image)
    p = np.frombuffer(consensus.probabilities, dtype="<f8")
    assert consensus.humans == 500
    assert np.isfinite([consensus.confidence, consensus.entropy, *p]).all()
    assert p.sum() == pytest.approx(1)
    queued = Candidate.objects.get(image=image)
    assert np.isfinite([queued.priority, queued.probability, queued.entropy]).all()
    snapshot = take_snapshot(project=project, model=first_parameters(project=project, now=NOON))
    for numbers in (snapshot.targets, snapshot.lessons, snapshot.weights):
        assert np.isfinite(numbers).all()
    for rates in (snapshot.select_rates, snapshot.choice_rates):
        assert ((rates > 0) & (rates < 1)).all()
    [taught] = snapshot.targets[snapshot.images == image.pk]
    assert taught.sum() == pytest.approx(1)
    named = project.label_classes.order_by("position")[int(taught.argmax())]
    assert named.key in ({"circle"} if gold else {"circle", "cross"})


def aggregated(path, text: str, capsys, *options: str) -> dict:
    path.write_text(text)
    call_command("aggregate", str(path), "--json", "-", *options)
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("method", ["dawid-skene", "one-coin", "majority"])
def test_a_file_of_lone_answers_contradictions_and_a_class_nobody_named(
    tmp_path, capsys, method
) -> None:
    """Everybody has one vote but Ada, who says two things of one item; nobody says that 2 is a fox.

    What can be right is right, and every probability is a number.
    """
    lines = ["item,annotator,label,truth", "1,ada,cat,cat", "1,ada,dog,cat"]
    lines += [f"1,c{number},cat,cat" for number in range(5)]
    lines += [f"2,d{number},dog,fox" for number in range(5)]
    out = tmp_path / "labels.csv"
    options = ("--method", method, "--out", str(out))
    result = aggregated(tmp_path / "votes.csv", "\n".join(lines) + "\n", capsys, *options)
    assert result["accuracy"] == 0.5
    rows = {row["item"]: row for row in csv.DictReader(out.read_text().splitlines())}
    assert (rows["1"]["label"], rows["2"]["label"]) == ("cat", "dog")
    assert all(1 / 3 < float(row["probability"]) <= 1 for row in rows.values())


def test_items_called_nan_are_words_and_stand_after_the_numbers(tmp_path, capsys) -> None:
    names = ["nan", "3", "NaN", "1", "cat", "2"]
    text = "item,annotator,label\n" + "".join(f"{name},ada,0\n{name},ben,1\n" for name in names)
    out = tmp_path / "labels.csv"
    aggregated(tmp_path / "votes.csv", text, capsys, "--out", str(out))
    said = [row["item"] for row in csv.DictReader(out.read_text().splitlines())]
    assert said == ["1", "2", "3", "NaN", "cat", "nan"]
