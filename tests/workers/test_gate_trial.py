"""A small trial of the promotion gate: Rounds of the product's own, some of them sabotaged."""

from pathlib import Path

import numpy as np
import pytest

from fixtures.shapes import draw_shapes
from labelhub.projects.models import Gold
from labelhub.rounds.models import ModelVersion
from labelhub.votes.models import Vote
from workers.gate_trial.pool import BEGIN, Kept, Pool, give_gold, give_votes, make_pool
from workers.gate_trial.sabotage import (
    FOLDS,
    PAST_CHECKSUM,
    SABOTAGES,
    flipped,
    read_otherwise,
    taught_otherwise,
)
from workers.gate_trial.trial import Played, Scene, Trial, is_sabotaged, is_truly_better, result
from workers.simulate.data import Corpus

pytestmark = pytest.mark.django_db(transaction=True)
PICTURES = 300
SCENE = Scene(gold_per_class=4, votes=0, more_votes=60)


@pytest.fixture
def pool() -> Pool:
    drawn = draw_shapes(count=PICTURES, seed=0)
    corpus = Corpus(drawn.images, drawn.labels, drawn.classes)
    return make_pool(corpus, images=PICTURES, recipe="features", steps=40, seed=0)


def test_no_sabotaged_round_is_promoted_and_honest_ones_are(pool: Pool, tmp_path: Path) -> None:
    sabotages = [
        taught_otherwise("flipped (40%)", flipped(0.4), FOLDS),
        read_otherwise("flipped (100%)", flipped(1.0)),
        *(one for one in SABOTAGES if one.name == "file of the served network cut short"),
    ]
    trial = Trial(pool, tmp_path, 0, scenes=[SCENE], sabotages=sabotages)
    played = trial.run(honest=1, sabotaged=6)
    spoilt = [one for one in played if is_sabotaged(one)]
    assert len(spoilt) == 6
    assert [one for one in spoilt if one.promoted] == []
    assert all(one.reason for one in spoilt)
    honest = [one for one in played if one.kind in ("honest", "honest, the first")]
    assert len(honest) >= 3
    assert [one.reason for one in honest if not one.promoted] == []
    found = result(played, 1.0)
    assert found["sabotaged"] == {"rounds": 6, "promoted": 0}
    assert found["truly_better"]["rounds"] == sum(is_truly_better(one) for one in played)
    assert sum(kind["rounds"] for kind in found["kinds"].values()) == 6


def test_every_trial_begins_from_the_same_rows(pool: Pool, tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept.sqlite3")
    places = np.arange(12)
    give_gold(pool, places[:6], now=BEGIN)
    give_votes(pool, places[6:], accuracy=1.0, rng=np.random.default_rng(0), now=BEGIN)
    assert (Gold.objects.count(), Vote.objects.count()) == (6, 6)
    assert all(
        vote.label_class == pool.classes[pool.truth[list(pool.images).index(vote.image_id)]]
        for vote in Vote.objects.select_related("label_class")
    )
    kept.put_back()
    assert (Gold.objects.count(), Vote.objects.count()) == (0, 0)
    assert not ModelVersion.objects.exists()


def test_people_of_a_trial_are_right_as_often_as_asked(pool: Pool) -> None:
    places = np.arange(200)
    give_votes(pool, places, accuracy=0.8, rng=np.random.default_rng(0), now=BEGIN, grids=True)
    truth = dict(zip(pool.images.tolist(), pool.truth.tolist(), strict=True))
    votes = Vote.objects.select_related("label_class")
    right = [
        (vote.label_class == pool.classes[truth[vote.image_id]]) == vote.answer for vote in votes
    ]
    assert len(right) == 200
    assert 0.75 < np.mean(right) < 0.95, "a no to another wrong class is right as well"
    assert 0.4 < np.mean([vote.answer for vote in votes]) < 0.8


def test_every_sabotage_has_a_name_of_its_own() -> None:
    names = [one.name for one in SABOTAGES]
    assert len(set(names)) == len(names) >= 20


def test_a_kind_past_the_checksum_is_told_from_the_one_that_it_sees() -> None:
    names = [one.name for one in (*SABOTAGES, *PAST_CHECKSUM)]
    assert len(set(names)) == len(names)
    assert all(one.name.endswith(", past the checksum") for one in PAST_CHECKSUM)


def one(kind: str, base: int, *, promoted: bool, gain: float | None = None) -> Played:
    return Played(kind, base, 0, promoted, gain, "", "done")


def test_a_refusal_tells_of_the_gate_where_the_honest_round_of_the_same_rows_was_promoted() -> None:
    played = [
        one("sabotaged, the first: x", 0, promoted=False),
        one("honest, the first", 0, promoted=True),
        one("honest", 0, promoted=False, gain=0.05),
        one("sabotaged: x", 0, promoted=False),
        one("honest, the first", 1, promoted=True),
        one("honest", 1, promoted=True, gain=0.3),
        one("sabotaged: y", 1, promoted=True),
    ]
    found = result(played, 1.0)
    assert found["sabotaged"] == {"rounds": 3, "promoted": 1}
    assert found["sabotaged_beside_promoted"] == {"rounds": 2, "promoted": 1}
    assert found["truly_better"] == {"rounds": 2, "promoted": 1}
    assert found["little_better"] == {"rounds": 1, "promoted": 0}
    assert found["gains"] == pytest.approx([0.075, 0.175, 0.275])


def test_classes_that_come_later_have_no_gold_at_first(pool: Pool, tmp_path: Path) -> None:
    scene = Scene(gold_per_class=6, votes=0, more_votes=60, known=1 / 3)
    Trial(pool, tmp_path, 0, scenes=[scene], sabotages=SABOTAGES[:1]).run(honest=0, sabotaged=1)
    assert set(Gold.objects.values_list("label_class__position", flat=True)) == {0, 1}
