"""What a version is measured on: images whose truth no network had a say in, the same for both."""

from dataclasses import replace

import numpy as np
import pytest

from labelhub.projects.models import Gold, Project
from labelhub.rounds.models import Round
from labelhub.rounds.queueing import mark_gold
from labelhub.votes.crowd import Crowd
from labelhub.votes.models import Vote
from labelhub.votes.parameters import first_parameters
from tests.factories import NOON, true_key
from tests.pictured import striped_project, vote_rightly
from tests.workers.untrained import rank, untrained_version
from workers import comparison
from workers.comparison import (
    GOLD,
    GOLD_AND_VOTES,
    HOLDOUT,
    VOTES,
    Comparison,
    Measure,
    compare,
    measure,
)
from workers.datasets import pictures_for
from workers.opinions import opinions
from workers.predicting import predict
from workers.snapshot import Snapshot, take_snapshot

SURE, LEANING, OPEN = (0.9, 0.05, 0.05), (0.6, 0.3, 0.1), (1 / 3, 1 / 3, 1 / 3)


def labelled(*, gold: int = 0, likely: int = 0, leaning: int = 0, held: int = 0) -> Snapshot:
    """So many images that are Gold, told by votes, told badly, and settled in the holdout."""
    count = gold + likely + leaning + held
    targets = np.array([(1.0, 0, 0)] * gold + [SURE] * likely + [LEANING] * leaning + [SURE] * held)
    holdout = np.arange(count) >= count - held
    return Snapshot(
        images=np.arange(count),
        targets=targets.reshape(count, 3),
        weights=np.ones(count),
        folds=np.arange(count) % 10,
        holdout=holdout,
        settled=holdout,
        gold=np.where(np.arange(count) < gold, 0, -1),
        select_rates=np.eye(3),
        choice_rates=np.eye(3),
        skills=np.zeros(0, dtype=np.uint8),
        last_vote=0,
        last_image=0,
    )


def measured(**images: int) -> Measure:
    return measure(labelled(**images))


@pytest.mark.parametrize(
    ("images", "words", "count", "fewest"),
    [
        ({"gold": 40, "likely": 40, "held": 100}, HOLDOUT, 100, 1),
        ({"gold": 40, "likely": 40, "held": 99}, GOLD, 40, 1),
        ({"gold": 18}, GOLD, 18, 1),
        ({"gold": 18, "likely": 40, "leaning": 5}, GOLD_AND_VOTES, 58, 1),
        ({"gold": 3, "likely": 9}, GOLD_AND_VOTES, 12, 30),
        ({"likely": 40, "leaning": 5, "held": 99}, VOTES, 40, 30),
        ({"leaning": 40}, VOTES, 0, 30),
    ],
)
def test_what_is_measured_on_is_the_surest_of_which_there_is_enough(
    images, words, count, fewest
) -> None:
    by = measured(**images)
    assert (by.words, int(by.chosen.sum()), by.fewest) == (words, count, fewest)
    assert by.provisional == (words != HOLDOUT)


def test_votes_tell_of_the_classes_that_have_no_gold() -> None:
    """By Gold of a few classes alone a network would be best that knows no others."""
    snapshot = labelled(gold=40, likely=20)
    snapshot.targets[50:] = (0.05, 0.9, 0.05)
    found = measure(snapshot)
    assert found.words == GOLD_AND_VOTES
    assert np.flatnonzero(found.chosen).tolist() == [*range(40), *range(50, 60)]


def test_the_young_holdout_is_not_among_what_votes_tell() -> None:
    snapshot = labelled(likely=40, held=50)
    assert not (measure(snapshot).chosen & snapshot.holdout).any()


@pytest.mark.parametrize(
    "rates",
    [
        *(Crowd.unmeasured(classes).select_rates for classes in (3, 10, 24, 300)),
        0.2 + 0.75 * np.eye(11),  # people who say yes to what is not there one time in five
    ],
    ids=len,
)
def test_one_yes_makes_a_label_likely_among_any_number_of_classes(rates: np.ndarray) -> None:
    classes = len(rates)
    yes = rates[:, 0] / rates[:, 0].sum()  # of the first class, over a uniform prior
    torn = rates[:, 0] * rates[:, 1]
    targets = np.stack([yes, torn / torn.sum(), np.full(classes, 1 / classes)])
    assert replace(labelled(leaning=3), targets=targets).likely.tolist() == [True, False, False]


@pytest.mark.django_db
def test_a_label_that_only_a_network_makes_likely_measures_none() -> None:
    project = striped_project(gold_per_class=0)
    vote_rightly(project, 3)
    rank(untrained_version(project))
    snapshot = take_snapshot(project=project, model=first_parameters(project=project, now=NOON))
    assert int(measure(snapshot).chosen.sum()) == 3


def sure(images: np.ndarray) -> np.ndarray:
    """A network that takes everything for the first class."""
    return np.tile(np.eye(4, dtype=np.float32)[0], (len(images), 1))


def other(images: np.ndarray) -> np.ndarray:
    """One that takes everything for the second."""
    return np.tile(np.eye(4, dtype=np.float32)[1], (len(images), 1))


def compared(project: Project) -> tuple[Snapshot, Comparison]:
    """What is labelled now, and that network against the one in service."""
    snapshot = take_snapshot(project=project, model=first_parameters(project=project, now=NOON))
    return snapshot, compare(project=project, snapshot=snapshot, served=sure, by_fold=[sure, sure])


@pytest.mark.django_db
def test_gold_that_was_new_when_the_version_in_service_ranked_it_is_seen_by_its_fold() -> None:
    project = striped_project(gold_per_class=0)
    version = untrained_version(project)
    rank(version)
    across = project.label_classes.get(key="across")
    gold = dict.fromkeys(project.images.values_list("pk", flat=True)[:12], across)
    mark_gold(project=project, gold=gold, source=Gold.Source.ADMIN, created_by_id=None, now=NOON)
    snapshot, found = compared(project)
    pictures = pictures_for(version=version, images=snapshot.images)
    now = predict(version=version, pictures=pictures, images=snapshot.images)
    assert found.old == pytest.approx(now.priors)
    assert not np.allclose(found.old, now.served)


@pytest.mark.django_db
def test_images_asked_about_because_of_what_the_version_in_service_says_compare_nothing() -> None:
    project = striped_project(gold_per_class=0)
    vote_rightly(project, 35)
    assert len(compared(project)[1].labels) == 35
    version = untrained_version(project)
    Round.objects.filter(pk=version.round_id).update(last_vote=Vote.objects.latest("pk").pk)
    rank(version)
    vote_rightly(project, 60)
    snapshot, found = compared(project)
    assert int(measure(snapshot).chosen.sum()) == 60
    assert len(found.labels) == len(found.new) == 35


@pytest.mark.django_db
def test_a_handful_told_before_decides_nothing_where_more_can() -> None:
    """No later vote makes them more: the gate would decide by luck, or never again."""
    project = striped_project(gold_per_class=0)
    vote_rightly(project, 4)
    version = untrained_version(project)
    Round.objects.filter(pk=version.round_id).update(last_vote=Vote.objects.latest("pk").pk)
    rank(version)
    vote_rightly(project, 40)
    _, found = compared(project)
    assert len(found.labels) == len(found.new) == len(found.old) == 40


@pytest.mark.django_db
def test_classes_that_the_version_in_service_was_told_nothing_of_are_compared_too() -> None:
    """By the few classes that it knows, it would be better than any that knows all."""
    project = striped_project(gold_per_class=0)
    classes = {row.key: row for row in project.label_classes.all()}
    known = [image for image in project.images.all() if true_key(image) == "across"][:12]
    gold = {image.pk: classes["across"] for image in known}
    mark_gold(project=project, gold=gold, source=Gold.Source.ADMIN, created_by_id=None, now=NOON)
    rank(untrained_version(project))
    vote_rightly(project, 60)
    snapshot, found = compared(project)
    told = np.isin(snapshot.images, found.images)
    news = snapshot.gold < 0
    others = snapshot.labels != classes["across"].position
    assert told.tolist() == (~news | others).tolist()
    about = opinions(project=project, snapshot=snapshot, served=sure, by_fold=[sure, sure])
    assert np.isfinite(about.before).all(axis=1).sum() == told.sum()


@pytest.mark.django_db
def test_the_settled_holdout_is_asked_of_the_networks_that_serve() -> None:
    """No network was taught it: by the fold networks it would be judged by another than serves."""
    project = striped_project(gold_per_class=6)
    vote_rightly(project, 60)
    version = untrained_version(project)
    rank(version)
    snapshot = take_snapshot(project=project, model=first_parameters(project=project, now=NOON))
    held = replace(snapshot, holdout=snapshot.gold < 0, settled=snapshot.gold < 0)
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(comparison, "HOLDOUT_ENOUGH", 60)
        found = compare(project=project, snapshot=held, served=sure, by_fold=[other, other])
    assert found.images.tolist() == snapshot.images[snapshot.gold < 0].tolist()
    assert (found.new.argmax(axis=1) == 0).all()
    assert not found.provisional
    pictures = pictures_for(version=version, images=found.images)
    said = predict(version=version, pictures=pictures, images=found.images)
    assert found.old == pytest.approx(said.served)
    assert not np.allclose(found.old, said.priors)
