"""Composes a grid out of a pool: which class, which tiles, in which places. No database.

A grid asks about the class whose most wanted images sum to the most. It holds those, Gold of both
kinds where it grades, one tile of the holdout, and a random slice; 30 to 70 % of its tiles are
expected to be selected, for a grid whose answer is always "all" or "none" teaches people to stop
looking.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from labelhub.challenges.models import Tile
from labelhub.challenges.pool import Place, Pool

YES_SHARE_MOST = 0.7


@dataclass(frozen=True)
class PlannedTile:
    """An image to be asked about, and why."""

    image_id: int
    reason: Tile.Reason
    probability: float  # that the image is of the class asked for
    entropy: float  # of its consensus, in nats

    @property
    def numbers(self) -> dict[str, float]:
        return {"probability": round(self.probability, 4), "entropy": round(self.entropy, 4)}


@dataclass(frozen=True)
class Plan:
    """A grid before it is a row: ``tiles`` are in the order of their places."""

    label_class_id: int
    tiles: tuple[PlannedTile, ...]

    @property
    def gold(self) -> tuple[int, ...]:
        """Images of the grid that grade the answer."""
        return tuple(tile.image_id for tile in self.tiles if tile.reason == Tile.Reason.GOLD)


def compose(
    *, pool: Pool, size: int, random_tiles: int, graded: bool, generator: Random
) -> Plan | None:
    """Plan one grid of at most ``size`` tiles; None when nothing is left to ask."""
    if not pool.open:
        return None
    label_class_id = _class_to_ask(pool, size, generator)
    tiles: dict[int, PlannedTile] = {}

    def take(places: Sequence[Place], count: int, reason: Tile.Reason) -> None:
        for place in places:
            if count <= 0 or len(tiles) >= size:
                return
            if place.image_id not in tiles:
                tiles[place.image_id] = _tile(place, label_class_id, reason)
                count -= 1

    yes, no = _gold_of_both_kinds(pool, label_class_id)
    if graded and yes and no:  # one or two of each, so that their number cannot be guessed
        take(yes, generator.randint(1, 2), Tile.Reason.GOLD)
        take(no, generator.randint(1, 2), Tile.Reason.GOLD)
    take(pool.holdout, 1, Tile.Reason.HOLDOUT)
    wanted = pool.open[label_class_id]
    take(wanted, size - len(tiles) - random_tiles, Tile.Reason.UNCERTAIN)
    take(pool.random, size - len(tiles), Tile.Reason.RANDOM)
    for places in (wanted, *pool.open.values()):  # near the end of a project, whatever is left
        take(places, size - len(tiles), Tile.Reason.UNCERTAIN)
    if not any(tile.reason != Tile.Reason.GOLD for tile in tiles.values()):
        return None
    _make_room_for_no(tiles, pool, label_class_id)
    ordered = list(tiles.values())
    generator.shuffle(ordered)
    return Plan(label_class_id, tuple(ordered))


def _class_to_ask(pool: Pool, size: int, generator: Random) -> int:
    """The class whose most wanted images sum to the most; equals are drawn from."""
    worth = {
        label_class_id: (
            round(sum(place.priority for place in places[:size]), 6),
            generator.random(),
        )
        for label_class_id, places in pool.open.items()
    }
    return max(worth, key=worth.__getitem__)


def _gold_of_both_kinds(pool: Pool, label_class_id: int) -> tuple[list[Place], list[Place]]:
    """Gold of the class asked for, and Gold of any other class."""
    no = [place for place in pool.gold if place.label_class_id != label_class_id]
    others = [
        place
        for other, places in pool.gold_of.items()
        if other != label_class_id
        for place in places
    ]
    return pool.gold_of.get(label_class_id, []), no or others


def _make_room_for_no(tiles: dict[int, PlannedTile], pool: Pool, label_class_id: int) -> None:
    """Replace sure yes tiles by random ones until at most YES_SHARE_MOST are expected."""
    spare = [place for place in pool.random if place.image_id not in tiles]
    while spare and _yes_share(tiles) > YES_SHARE_MOST:
        open_tiles = [t for t in tiles.values() if t.reason == Tile.Reason.UNCERTAIN]
        if not open_tiles:
            return
        surest = max(open_tiles, key=lambda tile: tile.probability)
        fresh = _tile(spare.pop(), label_class_id, Tile.Reason.RANDOM)
        if fresh.probability >= surest.probability:
            continue
        del tiles[surest.image_id]
        tiles[fresh.image_id] = fresh


def _yes_share(tiles: dict[int, PlannedTile]) -> float:
    return sum(tile.probability for tile in tiles.values()) / len(tiles)


def _tile(place: Place, label_class_id: int, reason: Tile.Reason) -> PlannedTile:
    """``place.probability`` is of its own class; of another class at most the rest is left."""
    same = place.label_class_id == label_class_id
    return PlannedTile(
        image_id=place.image_id,
        reason=reason,
        probability=place.probability if same else min(0.1, 1 - place.probability),
        entropy=place.entropy,
    )
