"""What a Round keeps of its evaluation: data from which pages only draw."""

import json
from datetime import timedelta

import numpy as np
import pytest

from labelhub.rounds.models import ModelVersion, Round
from labelhub.rounds.queueing import correct_gold
from labelhub.rounds.selectors import learning_curve
from labelhub.votes.parameters import first_parameters
from tests.factories import NOON
from tests.pictured import striped_project, vote_rightly
from tests.workers.test_round import run
from workers.comparison import Comparison
from workers.evaluating import Evaluated, metrics
from workers.opinions import opinions
from workers.promotion import MARGIN, Recount, Verdict
from workers.snapshot import take_snapshot

pytestmark = pytest.mark.django_db(transaction=True)
LATER = NOON + timedelta(seconds=1)


def test_a_round_keeps_what_it_measured_and_by_what_it_was_judged() -> None:
    project = striped_project()
    vote_rightly(project, 30)
    done = run(project)
    found = ModelVersion.objects.get(project=project).metrics
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["images"] == sum(found["kinds"].values()) == 48
    assert found["kinds"] == {"gold": 18, "votes": 30, "holdout": 0}
    low, high = found["interval"]
    assert low < found["accuracy"] <= high
    assert 0 <= found["ece"] <= 1
    assert 0 <= found["ece_before"] <= 1
    assert sum(one["count"] for one in found["reliability"]) == found["images"]
    wrong = sum(one["count"] for one in found["confusions"])
    assert wrong == round((1 - found["accuracy"]) * found["images"])
    assert found["gate"]["margin"] == MARGIN
    assert found["gate"]["labels_differing"] == 0
    assert found["gate"].keys() >= {"accuracy", "contradicted", "served_misfit_rise"}
    assert done.snapshot["votes"] == 30
    [point] = learning_curve(project=project)
    assert (point.labels, point.votes, point.measured) == (48, 30, 48)
    assert point.interval == (low, high)


def test_a_second_version_is_told_how_it_compares() -> None:
    project = striped_project()
    vote_rightly(project, 30)
    run(project)
    second = run(project)
    assert second.outcome == Round.Outcome.PROMOTED, second.reason
    gate = ModelVersion.objects.get(round=second).metrics["gate"]
    assert gate.keys() >= {"accuracy_before", "lost", "won", "losing_chance", "misfit_rise"}


def test_labels_that_nobody_gave_are_refused_by_a_round(monkeypatch) -> None:
    """Gold that was changed on its way to the training, and not in the rows."""
    project = striped_project()
    vote_rightly(project, 30)
    changed = take_snapshot

    def turned(**arguments):
        snapshot = changed(**arguments)
        snapshot.targets[:] = np.roll(snapshot.targets, 1, axis=1)
        return snapshot

    monkeypatch.setattr("workers.training.take_snapshot", turned)
    refused = run(project)
    assert refused.outcome == Round.Outcome.REFUSED
    assert refused.reason.startswith("48 of 48 labels that it was to learn are not what Gold and")
    assert not ModelVersion.objects.filter(serving=True).exists()


def test_gold_that_an_admin_corrects_while_a_round_trains_is_no_reason_to_refuse_it(
    monkeypatch,
) -> None:
    project = striped_project()
    vote_rightly(project, 30)
    before = take_snapshot

    def and_then_corrected(**arguments):
        snapshot = before(**arguments)
        down = project.label_classes.get(key="down")
        for image in project.images.filter(gold__label_class__key="across")[:3]:
            correct_gold(image=image, label_class=down, corrected_by_id=None, now=LATER)
        return snapshot

    monkeypatch.setattr("workers.training.take_snapshot", and_then_corrected)
    done = run(project)
    assert done.outcome == Round.Outcome.PROMOTED, done.reason
    assert project.images.filter(gold__label_class__key="down").count() == 9


def test_a_version_whose_probabilities_are_no_numbers_keeps_the_reason_and_no_scores() -> None:
    project = striped_project()
    vote_rightly(project, 30)
    snapshot = take_snapshot(project=project, model=first_parameters(project=project, now=NOON))
    rows = snapshot.images[:20]

    def lost(images: np.ndarray) -> np.ndarray:
        return np.full((len(images), 4), np.nan, dtype=np.float32)

    compared = Comparison(rows, lost(rows), None, snapshot.labels[:20], lost(rows), "Gold", True)
    asked = opinions(project=project, snapshot=snapshot, served=lost, by_fold=[lost, lost])
    evaluated = Evaluated(1.0, compared, asked, Recount(48, 0), mistaught=[])
    verdict = Verdict(promote=False, reason="the network's probabilities are not numbers")
    found = metrics(evaluated, snapshot=snapshot, verdict=verdict, choice=None)
    assert "accuracy" not in found
    assert found["measured_on"] == "Gold"
    json.dumps(found, allow_nan=False)
