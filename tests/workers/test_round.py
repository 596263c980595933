"""A whole Round by the real code: snapshot, training, evaluation, promotion, ranking."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from django.db import IntegrityError, OperationalError

from classifier import checkpoint
from labelhub.projects.models import Gold, Image, Project
from labelhub.rounds import services
from labelhub.rounds.model_files import model_folder
from labelhub.rounds.models import Candidate, ModelVersion, Prediction, Round
from labelhub.rounds.queueing import mark_gold
from labelhub.rounds.services import LEASE, claim_round, open_round
from labelhub.votes.models import Consensus, Parameters
from tests.factories import NOON, true_key
from tests.pictured import striped_project, vote_rightly
from tests.workers.untrained import clock
from workers import networks, teaching, training
from workers.places import round_folder
from workers.ranking import rank_shard
from workers.snapshot import Snapshot

pytestmark = pytest.mark.django_db(transaction=True)


def begin(project: Project) -> Round:
    return open_round(project=project, trigger=Round.Trigger.PERSON, opened_by_id=None, now=NOON)


def run(project: Project) -> Round:
    """Open a Round and do all its work here."""
    opened = begin(project)
    assert training.train_round(round_id=opened.pk, worker="here", clock=clock)
    opened.refresh_from_db()
    for version in ModelVersion.objects.filter(round=opened, serving=True):
        for shard in version.ranking_shards.all():
            rank_shard(shard_id=shard.pk, clock=clock)
    opened.refresh_from_db()
    return opened


def test_a_round_trains_promotes_and_ranks_every_image() -> None:
    project = striped_project()
    vote_rightly(project, 30)
    done = run(project)
    assert (done.state, done.outcome) == (Round.State.DONE, Round.Outcome.PROMOTED), done.reason
    assert set(done.seconds) == {"snapshot", "train", "evaluate", "rank"}
    version = ModelVersion.objects.get(project=project, serving=True)
    assert version.metrics["accuracy"] > 0.8
    assert version.provisional
    assert Prediction.objects.filter(model_version=version).count() == 90
    assert Consensus.objects.filter(model_version=version.number).count() == 90
    assert not round_folder(done).joinpath("snapshot.npz").exists()


def test_the_queue_is_ordered_by_the_entropy_of_the_consensus_where_that_is_chosen() -> None:
    project = striped_project(acquisition="entropy")
    run(project)
    queued = Candidate.objects.filter(project=project, queue=Candidate.Queue.OPEN)
    entropies = dict(Consensus.objects.values_list("image_id", "entropy"))
    for candidate in queued:
        assert candidate.priority == pytest.approx(entropies[candidate.image_id])
    assert len({candidate.priority for candidate in queued}) > 10


def test_most_images_are_asked_about_the_class_they_are_of() -> None:
    project = striped_project()
    run(project)
    queued = Candidate.objects.filter(project=project, queue=Candidate.Queue.OPEN)
    right = [c.label_class.key == true_key(c.image) for c in queued.select_related("image")]
    assert np.mean(right) > 0.8


def test_the_crowds_rates_are_refitted_with_the_promotion() -> None:
    project = striped_project()
    vote_rightly(project, 30)
    run(project)
    assert list(Parameters.objects.values_list("version", flat=True)) == [1, 2]
    assert set(Consensus.objects.values_list("parameters__version", flat=True)) == {2}


def test_the_holdout_is_never_in_a_training_set(monkeypatch) -> None:
    project = striped_project(holdout=True)
    vote_rightly(project, 72)
    seen: list[int] = []
    real = teaching.trained

    def spy(**arguments):
        seen.append(arguments["images"].shape[0])
        return real(**arguments)

    monkeypatch.setattr(teaching, "trained", spy)
    run(project)
    trainable = (
        Image.objects.filter(holdout=False, consensus__humans__gt=0).count()
        + Image.objects.filter(holdout=False, gold__isnull=False).count()
    )
    assert Image.objects.filter(holdout=True).count() == 18
    assert max(seen) == trainable


def test_a_prior_comes_from_the_network_that_did_not_train_on_the_image() -> None:
    project = striped_project()
    run(project)
    version = ModelVersion.objects.get(serving=True)
    image = Image.objects.filter(gold__isnull=True).first()
    prediction = Prediction.objects.get(model_version=version, image=image)
    pictures = training.fill_shards(project=project)
    network = networks.load_network(project=project, sha256=version.fold_sha256[image.fold % 2])
    pixels = pictures.of(np.array([image.pk]))
    expected = training.probabilities(training.logits(network, pixels), version.temperature)[0]
    assert np.frombuffer(prediction.prior, dtype="<f4") == pytest.approx(expected, abs=1e-5)


def test_a_round_interrupted_after_two_networks_goes_on_with_the_third(monkeypatch) -> None:
    project = striped_project()
    opened = begin(project)
    real, calls = teaching.trained, []

    def killed_at_the_third(**arguments):
        calls.append(arguments["path"].name)
        if len(calls) == 3:
            raise KeyboardInterrupt  # as abrupt as a kill: nothing is caught, nothing cleaned up
        return real(**arguments)

    monkeypatch.setattr(teaching, "trained", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        training.train_round(round_id=opened.pk, worker="first", clock=clock)
    finished = {
        path: path.stat().st_mtime_ns for path in round_folder(opened).glob("*.safetensors")
    }
    assert len(finished) == 2
    monkeypatch.setattr(teaching, "trained", real)

    assert not training.train_round(round_id=opened.pk, worker="early", clock=clock)
    kept: dict[object, int] = {}

    def look(*_: object, **__: object) -> None:
        kept.update({path: path.stat().st_mtime_ns for path in finished})

    monkeypatch.setattr(training.shutil, "rmtree", look)
    after_the_lease = NOON + LEASE + timedelta(seconds=1)
    assert training.train_round(round_id=opened.pk, worker="next", clock=lambda: after_the_lease)
    assert kept == finished  # not trained again
    assert Round.objects.count() == 1
    assert ModelVersion.objects.count() == 1


def test_a_worker_whose_lease_was_taken_stops_and_writes_nothing(monkeypatch) -> None:
    project = striped_project()
    opened = begin(project)
    real = teaching.trained

    def taken_over(**arguments):
        claim_round(round_id=opened.pk, worker="other", now=NOON + LEASE)
        return real(**arguments)

    monkeypatch.setattr(teaching, "trained", taken_over)
    assert training.train_round(round_id=opened.pk, worker="slow", clock=clock)
    opened.refresh_from_db()
    assert opened.worker == "other"
    assert opened.is_open
    assert ModelVersion.objects.count() == 0
    assert (round_folder(opened) / "snapshot.npz").is_file(), "the other one goes on from it"


def test_a_database_that_breaks_a_rule_ends_the_round_and_a_busy_one_does_not(
    monkeypatch,
) -> None:
    opened = begin(striped_project())

    def busy(*_: object, **__: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(training, "compare", busy)
    with pytest.raises(OperationalError):
        training.train_round(round_id=opened.pk, worker="one", clock=clock)
    opened.refresh_from_db()
    assert opened.is_open
    assert (round_folder(opened) / "network-2.safetensors").is_file(), "for the next worker"

    def broken(*_: object, **__: object) -> None:
        raise IntegrityError("a rule")

    monkeypatch.setattr(training, "compare", broken)
    later = NOON + LEASE
    with pytest.raises(IntegrityError):
        training.train_round(round_id=opened.pk, worker="two", clock=lambda: later)
    opened.refresh_from_db()
    assert opened.state == Round.State.FAILED
    assert "a rule" in opened.reason


def interrupted(monkeypatch, opened: Round) -> None:
    """A worker that is killed when all networks are trained."""
    with monkeypatch.context() as patched:

        def killed(**_: object) -> None:
            raise KeyboardInterrupt

        patched.setattr(training, "compare", killed)
        with pytest.raises(KeyboardInterrupt):
            training.train_round(round_id=opened.pk, worker="first", clock=clock)


def go_on(opened: Round) -> Round:
    """Another worker takes the Round over."""
    assert training.train_round(round_id=opened.pk, worker="next", clock=lambda: NOON + LEASE)
    opened.refresh_from_db()
    return opened


def test_a_snapshot_that_is_not_the_rounds_own_is_taken_again(monkeypatch, caplog) -> None:
    opened = begin(striped_project())
    interrupted(monkeypatch, opened)
    path = round_folder(opened) / "snapshot.npz"
    other = Snapshot.load(path, expected_sha256=Round.objects.get().snapshot_sha256)
    replace(other, targets=np.roll(other.targets, 1, axis=1)).save(path)
    done = go_on(opened)
    assert done.outcome == Round.Outcome.PROMOTED, done.reason
    assert "the snapshot is taken again" in caplog.text
    assert ModelVersion.objects.get().metrics["accuracy"] > 0.6


def test_a_network_that_learned_from_another_snapshot_is_trained_again(monkeypatch, caplog) -> None:
    project = striped_project()
    opened = begin(project)
    interrupted(monkeypatch, opened)
    before = checkpoint.load(round_folder(opened) / "network-0.safetensors")
    assert before.card["snapshot"] == Round.objects.get().snapshot_sha256
    (round_folder(opened) / "snapshot.npz").unlink()
    vote_rightly(project, 30)
    go_on(opened)
    assert "network-0.safetensors is of other labels or settings" in caplog.text
    assert before.sha256 not in ModelVersion.objects.get().fold_sha256


def test_a_busy_database_costs_a_training_its_progress_bar_and_nothing_else(
    monkeypatch, caplog
) -> None:
    def busy(**_: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(services, "report_progress", busy)
    assert run(striped_project()).outcome == Round.Outcome.PROMOTED
    assert "its progress is not shown: database is locked" in caplog.text


def test_a_network_is_compared_with_the_one_in_service_on_pictures_that_one_has_not_ranked(
    monkeypatch,
) -> None:
    project = striped_project()
    run(project)
    Prediction.objects.all().delete()
    compared: list[dict[str, object]] = []
    real = training.decide

    def spy(**arguments):
        compared.append(arguments)
        return real(**arguments)

    monkeypatch.setattr(training, "decide", spy)
    second = run(project)
    assert "first version" not in second.reason
    [numbers] = compared
    assert len(numbers["old"]) == len(numbers["new"]) == 18


def test_a_message_delivered_twice_trains_once() -> None:
    project = striped_project()
    done = run(project)
    assert not training.train_round(round_id=done.pk, worker="again", clock=clock)
    shard = ModelVersion.objects.get().ranking_shards.get()
    assert rank_shard(shard_id=shard.pk, clock=clock).images == 0


def test_a_round_on_gold_of_one_class_fails_with_the_reason() -> None:
    project = striped_project(gold_per_class=0)
    across = project.label_classes.get(key="across")
    Image.objects.filter(name__startswith="down").update(status=Image.Status.EXCLUDED)
    ones = project.images.filter(name__startswith="across")
    training_gold = {image.pk: across for image in ones}
    mark_gold(
        project=project, gold=training_gold, source=Gold.Source.ADMIN, created_by_id=None, now=NOON
    )
    failed = run(project)
    assert failed.state == Round.State.FAILED
    assert "fewer than two classes" in failed.reason


def test_a_round_without_any_gold_is_measured_on_what_votes_tell() -> None:
    project = striped_project(gold_per_class=0)
    vote_rightly(project, 40)
    done = run(project)
    assert done.outcome == Round.Outcome.PROMOTED, done.reason
    assert "of 40 images labelled by votes, cross-validated" in done.reason
    version = ModelVersion.objects.get(serving=True)
    assert version.provisional
    assert version.metrics["accuracy"] > 0.8


def test_a_round_with_neither_gold_nor_votes_enough_is_refused_and_says_what_to_do() -> None:
    project = striped_project(gold_per_class=0)
    vote_rightly(project, 20)
    refused = run(project)
    assert (refused.state, refused.outcome) == (Round.State.DONE, Round.Outcome.REFUSED)
    assert refused.reason == (
        "20 images labelled by votes, cross-validated, are too few to measure it on, at least 30 "
        "are needed: wait for more votes, or mark ten or more images as Gold"
    )
    assert not ModelVersion.objects.filter(serving=True).exists()
    assert not Prediction.objects.exists()


def test_a_round_does_without_a_picture_that_is_lost(settings) -> None:
    project = striped_project()
    lost = project.images.filter(gold__isnull=False).first()
    assert lost is not None
    for file in settings.DATA_DIR.glob(f"pictures/*/{lost.sha256}.*"):
        file.unlink()
    done = run(project)
    assert done.outcome == Round.Outcome.PROMOTED, done.reason
    assert done.snapshot["gold"] == 17


def test_networks_are_kept_by_their_hash() -> None:
    project = striped_project()
    run(project)
    version = ModelVersion.objects.get()
    names = {path.stem for path in model_folder(project).iterdir()}
    assert names == {version.sha256, *version.fold_sha256}
