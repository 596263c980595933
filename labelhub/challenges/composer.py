"""Composes a grid out of a pool: which class, which tiles, in which places. No database.

A grid asks about the class whose most wanted images sum to the most. It holds those, Gold of both
kinds where it grades, one image of the holdout about which this class is the question, and a random
slice. At most 70 % of its tiles are expected to be selected, for a grid whose answer is always
"all" teaches people to stop looking, and Gold of the class asked for keeps "none" from being the
answer of most graded ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from labelhub.challenges.models import Tile
from labelhub.challenges.pool import Place, Pool

YES_SHARE_MOST = 0.7
SMALL_GRID = 4  # tiles: two of each kind of Gold would leave no room for a question


class PlannedTile(NamedTuple):
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
    """A grid before it is a row: ``tiles`` are in the order of their places.

    ``spares``, the most wanted first, stand in for tiles that another grid takes meanwhile.
    """

    label_class_id: int
    tiles: tuple[PlannedTile, ...]
    spares: tuple[PlannedTile, ...] = ()

    @property
    def gold(self) -> tuple[int, ...]:
        """Images of the grid that grade the answer."""
        return tuple(tile.image_id for tile in self.tiles if tile.reason == Tile.Reason.GOLD)


class _Sheet:
    """A grid being filled: each image once, never more than ``size``."""

    def __init__(self, label_class_id: int, size: int) -> None:
        self.label_class_id = label_class_id
        self.size = size
        self.tiles: dict[int, PlannedTile] = {}

    @property
    def room(self) -> int:
        return self.size - len(self.tiles)

    def take(self, places: Sequence[Place], count: int, reason: Tile.Reason) -> None:
        """Add the first ``count`` places that are not on the sheet yet, as far as there is room."""
        fresh = [place for place in places if place.image_id not in self.tiles]
        for place in fresh[: max(0, min(count, self.room))]:
            self.tiles[place.image_id] = self.tile(place, reason)

    def tile(self, place: Place, reason: Tile.Reason) -> PlannedTile:
        """``place.probability`` is of its own class; for another one at most the rest is left."""
        same = place.label_class_id == self.label_class_id
        return PlannedTile(
            image_id=place.image_id,
            reason=reason,
            probability=place.probability if same else min(0.1, 1 - place.probability),
            entropy=place.entropy,
        )

    @property
    def asks_something(self) -> bool:
        return any(tile.reason != Tile.Reason.GOLD for tile in self.tiles.values())

    @property
    def yes_share(self) -> float:
        return sum(tile.probability for tile in self.tiles.values()) / len(self.tiles)


def compose(
    *, pool: Pool, size: int, random_tiles: int, graded: bool, generator: Random
) -> Plan | None:
    """Plan one grid of at most ``size`` tiles; None when nothing is left to ask."""
    if not pool.open:
        return None
    sheet = _Sheet(_class_to_ask(pool, size, generator), size)
    yes, no = _gold_of_both_kinds(pool, sheet.label_class_id)
    if graded and yes and no:  # one or two of each, so that their number cannot be guessed
        most = 2 if size > SMALL_GRID else 1
        sheet.take(yes, generator.randint(1, most), Tile.Reason.GOLD)
        sheet.take(no, generator.randint(1, most), Tile.Reason.GOLD)
    sheet.take(pool.holdout.get(sheet.label_class_id, []), 1, Tile.Reason.HOLDOUT)
    wanted = pool.open[sheet.label_class_id]
    sheet.take(wanted, sheet.room - random_tiles, Tile.Reason.UNCERTAIN)
    sheet.take(pool.random, sheet.room, Tile.Reason.RANDOM)
    for places in (wanted, *pool.open.values()):  # near the end of a project, whatever is left
        sheet.take(places, sheet.room, Tile.Reason.UNCERTAIN)
    if not sheet.asks_something:
        return None
    _make_room_for_no(sheet, pool)
    ordered = list(sheet.tiles.values())
    generator.shuffle(ordered)
    return Plan(sheet.label_class_id, tuple(ordered), _spares(sheet, pool))


def _spares(sheet: _Sheet, pool: Pool) -> tuple[PlannedTile, ...]:
    """What is left of the pool, each image once and by the first reason to ask about it."""
    spares: dict[int, PlannedTile] = {}
    for places, reason in (
        (pool.open[sheet.label_class_id], Tile.Reason.UNCERTAIN),
        (pool.random, Tile.Reason.RANDOM),
    ):
        for place in places:
            if place.image_id not in sheet.tiles:
                spares.setdefault(place.image_id, sheet.tile(place, reason))
    return tuple(spares.values())


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


def _make_room_for_no(sheet: _Sheet, pool: Pool) -> None:
    """Replace sure yes tiles by random ones until at most YES_SHARE_MOST are expected."""
    spare = [place for place in pool.random if place.image_id not in sheet.tiles]
    while spare and sheet.yes_share > YES_SHARE_MOST:
        fresh = sheet.tile(spare.pop(), Tile.Reason.RANDOM)
        asked = [t for t in sheet.tiles.values() if t.reason == Tile.Reason.UNCERTAIN]
        surest = max(asked, key=lambda tile: tile.probability, default=fresh)
        if surest.probability > fresh.probability:
            del sheet.tiles[surest.image_id]
            sheet.tiles[fresh.image_id] = fresh
