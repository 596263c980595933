"""The trial of the gate: bases of labels, an honest Round on each and sabotaged ones beside it."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.predict import logits
from labelhub.rounds.models import ModelVersion, Round
from labelhub.rounds.selectors import serving_version
from labelhub.rounds.services import open_round
from workers.datasets import pictures_for
from workers.following import rank_here
from workers.gate_trial.pool import BEGIN, Kept, Pool, give_gold, give_votes
from workers.gate_trial.sabotage import SABOTAGES, Sabotage
from workers.networks import load_network
from workers.promotion import MARGIN
from workers.training import train_round

logger = logging.getLogger(__name__)
TWICE = 2 * MARGIN  # truly better by so much, an honest Round ought to be promoted
HOLDOUT_VOTES = 3


@dataclass(frozen=True)
class Scene:
    """What is known before the first Round, and what comes before the second, in images.

    Of ``more_votes`` each base has a tenth to all, by its dice: versions become a little better and
    much. ``told`` says whether the holdout is labelled too, so that it is what is measured on.
    ``known`` is the share of the classes that there is Gold of, the first ones.
    """

    gold_per_class: int
    votes: int
    more_votes: int
    accuracy: float = 0.9  # of the people
    grids: bool = False
    told: bool = False
    known: float = 1.0


SCENES = (
    Scene(gold_per_class=3, votes=0, more_votes=250),
    Scene(gold_per_class=10, votes=0, more_votes=500),
    Scene(gold_per_class=1, votes=60, more_votes=400, grids=True),
    Scene(gold_per_class=0, votes=80, more_votes=400),
    Scene(gold_per_class=4, votes=60, more_votes=500, told=True),
    Scene(gold_per_class=4, votes=60, more_votes=400, accuracy=0.8),
    Scene(gold_per_class=12, votes=0, more_votes=400, known=1 / 3),
)
LITTLE_NEWS = 15  # images with votes that make a Round no better and no worse


@dataclass(frozen=True)
class Played:
    """What became of a Round. ``gain`` is how much more its served network is right on than the
    version in service before, on pictures nobody ever labelled; None where either cannot tell.
    ``base`` is the number of the base of labels that it was played on."""

    kind: str
    base: int
    scene: int
    promoted: bool
    gain: float | None
    reason: str
    state: str


@dataclass
class Trial:
    """Plays Rounds one after the other, each from rows put back to what they were.

    ``heard`` is called with each Round as it ends; ``scenes`` and ``sabotages`` come in turns.
    """

    pool: Pool
    folder: Path
    seed: int
    heard: Callable[[Played], None] = lambda played: None
    scenes: Sequence[Scene] = SCENES
    sabotages: Sequence[Sabotage] = SABOTAGES
    played: list[Played] = field(default_factory=list)
    _rounds: int = 0
    _base_number: int = 0

    def run(self, *, honest: int, sabotaged: int) -> list[Played]:
        """Until there were so many honest Rounds truly better by twice the margin, and so many
        sabotaged ones: half of these the first of their project."""
        blank = Kept(self.folder / "blank.sqlite3")
        number = 0
        while self._left(honest, sabotaged) and number < 3 * max(honest, sabotaged):
            blank.put_back()
            self._base(number, honest, sabotaged)
            number += 1
        return self.played

    def _left(self, honest: int, sabotaged: int) -> bool:
        return self.better < honest or self.spoilt < sabotaged

    @property
    def better(self) -> int:
        return sum(is_truly_better(one) for one in self.played)

    @property
    def spoilt(self) -> int:
        return sum(is_sabotaged(one) for one in self.played)

    def _base(self, number: int, honest: int, sabotaged: int) -> None:
        """Labels of one kind; Rounds on them."""
        self._base_number, place = number, number % len(self.scenes)
        scene, dice = self.scenes[place], np.random.default_rng([self.seed, number])
        order = dice.permutation(np.flatnonzero(~self.pool.holdout))
        classes = max(2, round(scene.known * len(self.pool.classes)))
        gold, order = _some_of_each(self.pool, order, scene.gold_per_class, classes)
        more = round(dice.uniform(0.1, 1) * scene.more_votes)
        first, second = order[: scene.votes], order[scene.votes :][:more]
        give_gold(self.pool, gold, now=BEGIN)
        self._vote(first, scene, dice)
        if scene.told:
            self._vote(np.flatnonzero(self.pool.holdout), scene, dice, each=HOLDOUT_VOTES)
        unseen = order[scene.votes + scene.more_votes :]
        before = Kept(self.folder / "first.sqlite3")
        if self.spoilt < sabotaged:
            self._spoilt(place, 2 * number, unseen, before)
        self._round("honest, the first", place, unseen)
        if serving_version(project=self.pool.project) is None:
            return
        served = Kept(self.folder / "served.sqlite3")
        self._vote(second[:LITTLE_NEWS], scene, dice)
        self._round("honest, with little news", place, unseen)
        served.put_back()
        self._vote(second, scene, dice)
        told = Kept(self.folder / "told.sqlite3")
        if self.better < honest:
            self._round("honest", place, unseen)
            told.put_back()
        if self.spoilt < sabotaged:
            self._spoilt(place, 2 * number + 1, unseen, told)

    def _vote(
        self, places: NDArray[np.int64], scene: Scene, dice: np.random.Generator, each: int = 1
    ) -> None:
        give_votes(
            self.pool,
            places,
            accuracy=scene.accuracy,
            rng=dice,
            now=BEGIN,
            each=each,
            grids=scene.grids,
        )

    def _spoilt(self, place: int, turn: int, unseen: NDArray[np.int64], back: Kept) -> None:
        # Each scene has the sabotages in an order of its own, first Rounds and later ones too.
        order = np.random.default_rng([self.seed, place, turn % 2, 2]).permutation(
            len(self.sabotages)
        )
        sabotage = self.sabotages[order[turn // 2 // len(self.scenes) % len(order)]]
        dice = np.random.default_rng([self.seed, turn, 1])
        first = "" if serving_version(project=self.pool.project) else ", the first"
        self._round(f"sabotaged{first}: {sabotage.name}", place, unseen, sabotage.during(dice))
        back.put_back()

    def _round(
        self,
        kind: str,
        place: int,
        unseen: NDArray[np.int64],
        during: AbstractContextManager[None] | None = None,
    ) -> None:
        """Open a Round and do its work, its ranking too."""
        self._rounds += 1
        now = BEGIN + timedelta(hours=self._rounds)
        project = self.pool.project
        was = serving_version(project=project)
        opened = open_round(
            project=project, trigger=Round.Trigger.PERSON, opened_by_id=None, now=now
        )
        with during or nullcontext():
            train_round(round_id=opened.pk, worker="trial", clock=lambda: now)
        version = ModelVersion.objects.filter(round=opened).first()
        if version is not None and version.serving:
            rank_here(version=version, clock=_ticking(now))
        opened.refresh_from_db()
        version = ModelVersion.objects.filter(round=opened).first()
        self.played.append(
            Played(
                kind=kind,
                base=self._base_number,
                scene=place,
                promoted=serving_version(project=project) != was,
                gain=self._gain(version, was, unseen) if kind.startswith("honest") else None,
                reason=opened.reason,
                state=opened.state,
            )
        )
        self.heard(self.played[-1])

    def _gain(
        self, version: ModelVersion | None, was: ModelVersion | None, unseen: NDArray[np.int64]
    ) -> float | None:
        if version is None or was is None or not len(unseen):
            return None
        return self._right(version, unseen) - self._right(was, unseen)

    def _right(self, version: ModelVersion, unseen: NDArray[np.int64]) -> float:
        """How much of the pictures (places) its served network is right on."""
        images = self.pool.images[unseen]
        network = load_network(project=self.pool.project, sha256=version.sha256)
        pictures = pictures_for(version=version, images=images)
        said = logits(network, pictures.seen_by(network, images))
        return float((said.argmax(axis=1) == self.pool.truth[unseen]).mean())


def _ticking(now: datetime) -> Callable[[], datetime]:
    """A clock by which every look is a minute later: leases of those who failed are over."""
    minutes = iter(range(1_000_000))
    return lambda: now + timedelta(minutes=next(minutes))


def _some_of_each(
    pool: Pool, order: NDArray[np.int64], count: int, classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """So many (places) of each of the first classes, and the others in their order."""
    chosen = [order[pool.truth[order] == label][:count] for label in range(classes)]
    taken = np.concatenate(chosen) if chosen else order[:0]
    return taken, order[~np.isin(order, taken)]


def is_sabotaged(one: Played) -> bool:
    return one.kind.startswith("sabotaged")


def is_truly_better(one: Played) -> bool:
    """Honest, and by twice the margin."""
    return one.kind == "honest" and one.gain is not None and one.gain >= TWICE


def _with_promoted_twin(played: list[Played]) -> list[Played]:
    """The sabotaged Rounds whose honest twin, from the same rows, was promoted: of the others a
    refusal says nothing."""
    honest = {(one.base, one.kind) for one in played if one.promoted and not is_sabotaged(one)}
    return [
        one
        for one in played
        if is_sabotaged(one)
        and (one.base, "honest, the first" if ", the first" in one.kind else "honest") in honest
    ]


def result(played: list[Played], seconds: float) -> dict[str, Any]:
    """The JSON of the command. ``gains`` are the deciles 1, 5 and 9 of how much better the truly
    better ones are, ``little_better`` those that are so by less than twice as much as it takes."""
    groups = {
        "sabotaged": [one for one in played if is_sabotaged(one)],
        "truly_better": [one for one in played if is_truly_better(one)],
        "first": [one for one in played if one.kind == "honest, the first"],
        "little_news": [one for one in played if one.kind == "honest, with little news"],
        "others": [one for one in played if one.kind == "honest" and not is_truly_better(one)],
    }
    twins = _with_promoted_twin(played)
    gains = [one.gain for one in groups["truly_better"] if one.gain is not None]
    small = [one for one in groups["truly_better"] if one.gain and one.gain < 2 * TWICE]
    kinds = Counter(one.kind for one in groups["sabotaged"])
    passed = Counter(one.kind for one in groups["sabotaged"] if one.promoted)
    return {
        **{
            name: {"rounds": len(rows), "promoted": sum(one.promoted for one in rows)}
            for name, rows in groups.items()
        },
        "sabotaged_beside_promoted": {
            "rounds": len(twins),
            "promoted": sum(one.promoted for one in twins),
        },
        "gains": np.quantile(gains, (0.1, 0.5, 0.9)).round(4).tolist() if gains else [],
        "little_better": {"rounds": len(small), "promoted": sum(one.promoted for one in small)},
        "margin": MARGIN,
        "kinds": {
            kind: {"rounds": count, "promoted": passed[kind]} for kind, count in kinds.items()
        },
        "seconds": round(seconds, 1),
    }
