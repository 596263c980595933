"""Rankings that look at more than one belief: what they score, and what people are asked next."""

from collections.abc import Iterator

import numpy as np
import pytest

from classifier.batches import disagreement
from classifier.predict import answers, logits, probabilities
from labelhub.challenges.models import Tile
from labelhub.challenges.services import issue_challenge
from labelhub.projects.models import Project
from labelhub.rounds.models import Candidate, ModelVersion, Prediction, RankingShard, Round
from labelhub.rounds.queueing import MANY_PEOPLE, requeue
from labelhub.rounds.services import open_round
from labelhub.votes.models import Consensus, Vote
from labelhub.votes.services import NewVote, record_votes
from tests.factories import NOON, dice, true_key, visitor
from tests.pictured import STRIPES, striped_project
from tests.workers.untrained import clock, rank, untrained_version
from workers import predicting, ranking, scores, training
from workers.networks import load_network
from workers.predicting import BadPrediction

pytestmark = pytest.mark.django_db(transaction=True)
BY_SCORE = ["disagreement", "diverse"]


def after_a_round(acquisition: str) -> Project:
    """A project that trained and ranked by the real code, and asks nothing at random."""
    asked = {"random_share": 0.0, "check_share": 0.0}
    project = striped_project(acquisition=acquisition, training_steps=10, **asked)
    opened = open_round(project=project, trigger=Round.Trigger.PERSON, opened_by_id=None, now=NOON)
    assert training.train_round(round_id=opened.pk, worker="here", clock=clock)
    opened.refresh_from_db()
    assert opened.outcome == Round.Outcome.PROMOTED, opened.reason
    rank(ModelVersion.objects.get(serving=True))
    return project


def in_turn(project: Project) -> list[Candidate]:
    queued = Candidate.objects.filter(project=project, queue=Candidate.Queue.OPEN)
    return list(queued.order_by("-priority"))


def test_disagreement_is_scored_by_what_the_networks_tell_each_other() -> None:
    project = after_a_round("disagreement")
    version = ModelVersion.objects.get(serving=True)
    queued = in_turn(project)
    images = np.array([candidate.image_id for candidate in queued])
    pictures = training.fill_shards(project=project)
    members = [
        probabilities(
            logits(load_network(project=project, sha256=sha256), pictures.of(images)),
            version.temperature,
        )
        for sha256 in (version.sha256, *version.fold_sha256)
    ]
    scores = np.array([candidate.score for candidate in queued])
    assert scores == pytest.approx(disagreement(np.stack(members)), abs=1e-5)
    assert len(set(scores.tolist())) > 10


def test_a_diverse_batch_gives_its_places_to_what_is_still_to_be_asked(monkeypatch) -> None:
    monkeypatch.setattr(scores, "LEAST_BATCH", 20)
    project = striped_project(acquisition="diverse")
    voted = project.images.filter(gold=None)[:30].values_list("pk", flat=True)
    Candidate.objects.filter(image_id__in=list(voted)).update(settled=True)
    rank(untrained_version(project))
    scored = dict(Candidate.objects.filter(score__gt=0).values_list("image_id", "score"))
    assert sorted(scored.values()) == pytest.approx(np.arange(1, 21) / 20)
    assert not Candidate.objects.filter(score__gt=0, queue=Candidate.Queue.GOLD).exists()
    assert not scored.keys() & set(voted)
    first = [candidate.image_id for candidate in in_turn(project)[:20]]
    assert set(first) == scored.keys()


def test_a_diverse_batch_has_no_place_for_what_votes_have_all_but_told_or_cannot_tell(
    monkeypatch,
) -> None:
    monkeypatch.setattr(scores, "LEAST_BATCH", 20)
    project = striped_project(acquisition="diverse", min_humans=20)  # so many votes settle nothing
    classes = {row.key: row.pk for row in project.label_classes.all()}
    told, contested, fresh = np.split(np.array(project.images.filter(gold=None)), [30, 40])
    for turn in range(MANY_PEOPLE - 1):
        answer(project, {image.pk: classes[true_key(image)] for image in told})
        answer(project, {image.pk: classes[STRIPES[turn % 2]] for image in contested})
    answer(project, {image.pk: classes["plain"] for image in contested})
    assert not Candidate.objects.filter(queue=Candidate.Queue.OPEN, settled=True).exists()
    rank(untrained_version(project))
    scored = Candidate.objects.filter(score__gt=0).values_list("image_id", flat=True)
    assert len(scored) == 20
    assert set(scored) <= {image.pk for image in fresh}


def answer(project: Project, chosen: dict[int, int]) -> None:
    """Another visitor chooses a class for each image."""
    votes = [NewVote(image, one, True, Vote.Kind.CHOICE) for image, one in chosen.items()]
    batch = record_votes(
        project=project, annotator=visitor(project), votes=votes, challenge="c", now=NOON
    )
    requeue(project=project, batch=batch, release=True)


def test_a_diverse_ranking_with_nothing_left_to_ask_scores_nothing() -> None:
    project = striped_project(images=12, acquisition="diverse")
    Candidate.objects.update(settled=True)
    rank(untrained_version(project))
    assert set(Candidate.objects.values_list("score", flat=True)) == {0.0}


@pytest.mark.parametrize("acquisition", BY_SCORE)
def test_the_next_grid_asks_about_the_images_that_the_ranking_scored_highest(acquisition) -> None:
    project = after_a_round(acquisition)
    grid = issue_challenge(annotator=visitor(project), now=NOON, generator=dice())
    wanted = grid.tiles.filter(reason=Tile.Reason.UNCERTAIN)
    asked = set(wanted.values_list("image_id", flat=True))
    room = grid.tiles.exclude(reason=Tile.Reason.GOLD).count()
    of_class = [one for one in in_turn(project) if one.label_class_id == grid.label_class_id]
    best = {one.image_id for one in sorted(of_class, key=lambda one: -one.score)[:room]}
    assert len(of_class) > 2 * room
    assert len(asked) >= 3
    assert asked <= best


@pytest.mark.parametrize("acquisition", BY_SCORE)
def test_an_image_of_next_to_no_score_comes_after_one_of_a_high_score(
    monkeypatch, acquisition
) -> None:
    project = striped_project(acquisition=acquisition)
    wanted = project.images.filter(gold=None).order_by("pk")
    low, high = wanted[0].pk, wanted[1].pk

    def scored(version, ranked):
        return np.where(ranked.images == high, 0.9, np.where(ranked.images == low, 1e-6, 0.01))

    monkeypatch.setattr(ranking, "scores_of", scored)
    rank(untrained_version(project))
    order = [candidate.image_id for candidate in in_turn(project)]
    assert order[0] == high
    assert order[-1] == low


@pytest.mark.parametrize("acquisition", Project.Acquisition.values)
def test_every_acquisition_puts_the_images_in_a_finite_order(acquisition) -> None:
    project = striped_project(images=30, gold_per_class=1, acquisition=acquisition)
    rank(untrained_version(project))
    queued = in_turn(project)
    wanted = np.array([candidate.priority for candidate in queued])
    assert len(queued) == 27
    assert np.isfinite(wanted).all()
    assert (wanted >= 0).all()
    assert len(set(wanted.tolist())) > 5
    assert issue_challenge(annotator=visitor(project), now=NOON, generator=dice())


@pytest.mark.parametrize("acquisition", ["entropy", *BY_SCORE])
@pytest.mark.parametrize(
    "said",
    [np.nan, np.inf, 0.7, -1.0],
    ids=["NaN", "infinity", "a row that sums to more than one", "less than nothing"],
)
def test_what_are_no_probabilities_never_reach_consensus_or_queues(
    monkeypatch, acquisition, said
) -> None:
    project = striped_project(images=12, gold_per_class=1, acquisition=acquisition)
    version = untrained_version(project)
    before = list(Consensus.objects.order_by("pk").values())
    queues = list(Candidate.objects.order_by("pk").values())

    def spoilt_answers(*arguments: object) -> Iterator[np.ndarray]:
        for rows in answers(*arguments):
            rows[3, 1] = said
            yield rows

    def spoilt_probabilities(*arguments: object) -> np.ndarray:
        rows = probabilities(*arguments)
        rows[3, 1] = said if said != 0.7 else rows[3, 1] + said
        return rows

    if np.isfinite(said):
        monkeypatch.setattr(predicting, "probabilities", spoilt_probabilities)
    else:
        monkeypatch.setattr(predicting, "answers", spoilt_answers)
    with pytest.raises(BadPrediction, match="network"):
        rank(version)
    assert not Prediction.objects.exists()
    assert list(Consensus.objects.order_by("pk").values()) == before
    assert list(Candidate.objects.order_by("pk").values()) == queues
    assert "BadPrediction" in RankingShard.objects.get().trouble
