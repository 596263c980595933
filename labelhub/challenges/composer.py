"""Composes a question sheet out of a pool: which form, which class, which tiles. No database.

A sheet is a grid about one class, or one picture with all classes to choose from: whichever has the
more wanted images for a person's time, where no rare class is to be asked about on purpose. A grid
holds the most wanted images of its class, Gold of both kinds where it grades, now and then an image
of the holdout, one drawn at random, and a settled one as a Check. At most 70 % of its tiles are
expected to be selected, for a grid whose answer is always "all" teaches people to stop looking, and
Gold of the class asked for keeps "none" from being the answer of most graded ones.
"""

from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import NamedTuple

from labelhub.challenges.models import Tile
from labelhub.challenges.plans import Plan, PlannedTile, planned
from labelhub.challenges.pool import CHOICE_WINDOW, Place, Pool
from labelhub.challenges.sheet import Sheet
from labelhub.projects.likeness import is_like_one_of
from labelhub.projects.models import Project
from labelhub.votes.questions import Costs

YES_SHARE_MOST = 0.7
SMALL_GRID = 4  # tiles: two of each kind of Gold would leave no room for a question
HOLDOUT_SHARE = 0.04  # of the tiles: somewhat less than the holdout's share of the images
GOLD_SHARE_OF_CHOICES = 0.2  # where a grid would be graded: as many of its tiles are Gold


@dataclass(frozen=True)
class Wishes:
    """What a sheet is to be like, whatever the pool holds."""

    size: int  # tiles of a grid
    graded: bool
    random_share: float
    check_share: float
    costs: Costs
    wanted: Tile.Reason  # why the most wanted images are asked about
    rare: tuple[int, ...] = ()  # LabelClass ids to be asked about on purpose, the rarest first

    @classmethod
    def of(
        cls, project: Project, *, graded: bool, costs: Costs, rare: tuple[int, ...] = ()
    ) -> "Wishes":
        """The project's."""
        return cls(
            size=project.tiles_per_grid,
            graded=graded,
            random_share=project.random_share,
            check_share=project.check_share,
            costs=costs,
            wanted=WHY.get(Project.Acquisition(project.acquisition), Tile.Reason.UNCERTAIN),
            rare=rare,
        )

    @property
    def choices_a_grid(self) -> int:
        """Choices that take about as long as a grid."""
        about = round(self.size * self.costs.tile / self.costs.choice)
        return min(max(1, about), CHOICE_WINDOW)  # the pool holds no more to compare


WHY = {  # the most wanted are asked about; by every other acquisition they are the most uncertain
    Project.Acquisition.INFORMATION: Tile.Reason.INFORMATION,
    Project.Acquisition.RANDOM: Tile.Reason.RANDOM,
}


def compose(*, pool: Pool, wishes: Wishes, generator: Random) -> Plan | None:
    """Plan one sheet; None when nothing is left to ask."""
    if not pool.open:
        return None
    for rare in _rare(pool, wishes):
        if on_purpose := _grid(rare, pool, wishes, generator):
            return on_purpose
    asked = _class_to_ask(pool, wishes.size, generator)
    grid = partial(_grid, asked.label_class_id, pool, wishes, generator)
    if not pool.choice:
        return grid()
    few = pool.choice[: wishes.choices_a_grid]
    of_choices = sum(place.priority for place in few) / wishes.choices_a_grid
    if not asked.wanted or of_choices > asked.worth / wishes.size:
        return _choice(pool, wishes, generator)
    return grid() or _choice(pool, wishes, generator)


def known_only(*, pool: Pool, wishes: Wishes, generator: Random) -> Plan | None:
    """A grid of Gold alone, for somebody whose answers are not believed; None without any.

    It is as full as others, and of the class asked for are as many of its tiles as may be of those.
    """
    asked = [one for one, places in pool.gold_of.items() if places]
    if not asked:
        return None
    sheet = Sheet(generator.choice(asked), wishes.size)
    known = [*pool.gold, *(place for places in pool.gold_of.values() for place in places)]
    yes = [place for place in known if place.label_class_id == sheet.label_class_id]
    most = max(1, int(YES_SHARE_MOST * wishes.size))
    sheet.take(yes, generator.randint(1, most), Tile.Reason.GOLD)
    no = [place for place in known if place.label_class_id != sheet.label_class_id]
    for places in (no, yes):  # more yes where there is nothing else
        sheet.take(places, sheet.room, Tile.Reason.GOLD)
    tiles = list(sheet.tiles.values())
    generator.shuffle(tiles)
    return Plan(sheet.label_class_id, tuple(tiles))


def _choice(pool: Pool, wishes: Wishes, generator: Random) -> Plan:
    """One picture with all classes: the most wanted, or now and then a known one or another."""
    place, reason = _other_than_wanted(pool, wishes, generator) or (pool.choice[0], wishes.wanted)
    spares = [spare for spare in pool.choice if spare.image_id != place.image_id]
    return Plan(
        None, (_as_choice(place, reason),), tuple(_as_choice(s, wishes.wanted) for s in spares)
    )


def _other_than_wanted(
    pool: Pool, wishes: Wishes, generator: Random
) -> tuple[Place, Tile.Reason] | None:
    """What a choice asks instead of what is wanted most, by one roll of the dice."""
    held = [place for places in pool.holdout.values() for place in places]
    rolled = generator.random()
    for share, places, reason in (
        (GOLD_SHARE_OF_CHOICES if wishes.graded else 0.0, pool.gold, Tile.Reason.GOLD),
        (HOLDOUT_SHARE, sorted(held, key=lambda one: -one.priority), Tile.Reason.HOLDOUT),
        (wishes.check_share, pool.check, Tile.Reason.CHECK),
        (wishes.random_share, pool.random, Tile.Reason.RANDOM),
    ):
        if places:
            if rolled < share:
                return places[0], reason
            rolled -= share
    return None


def _as_choice(place: Place, reason: Tile.Reason) -> PlannedTile:
    return planned(place, reason, place.confidence if place.label else place.probability)


def _grid(label_class_id: int, pool: Pool, wishes: Wishes, generator: Random) -> Plan | None:
    """A grid about one class; None where it would ask nothing."""
    sheet = _filled(label_class_id, pool, wishes, generator)
    if wishes.graded and not sheet.asks_something:  # all that is left looks like the Gold on it
        sheet = _filled(label_class_id, pool, replace(wishes, graded=False), generator)
    if not sheet.asks_something:
        return None
    _make_room_for_no(sheet, pool)
    ordered = list(sheet.tiles.values())
    generator.shuffle(ordered)
    return Plan(label_class_id, tuple(ordered), _spares(sheet, pool, wishes))


def _filled(label_class_id: int, pool: Pool, wishes: Wishes, generator: Random) -> Sheet:
    """A sheet about one class, with what the pool has for it."""
    sheet = Sheet(label_class_id, wishes.size)

    def drawn(share: float) -> int:
        return sum(generator.random() < share for _ in range(wishes.size))

    yes, no = _gold_of_both_kinds(pool, label_class_id)
    if wishes.graded and yes and no:  # one or two of each, so that their number cannot be guessed
        most = 2 if wishes.size > SMALL_GRID else 1
        sheet.take(yes, generator.randint(1, most), Tile.Reason.GOLD)
        sheet.take(no, generator.randint(1, most), Tile.Reason.GOLD)
    sheet.take(pool.holdout.get(label_class_id, []), drawn(HOLDOUT_SHARE), Tile.Reason.HOLDOUT)
    checks = [place for place in pool.check if place.label == label_class_id]  # others tell nothing
    sheet.take(checks, drawn(wishes.check_share), Tile.Reason.CHECK)
    wanted = pool.open[label_class_id]
    sheet.take(wanted, sheet.room - drawn(wishes.random_share), wishes.wanted)
    of_class = [place for place in pool.random if place.label_class_id == label_class_id]
    sheet.take([*of_class, *pool.random], sheet.room, Tile.Reason.RANDOM)  # others tell a sure no
    for places in (wanted, *pool.open.values()):  # near the end of a project, whatever is left
        sheet.take(places, sheet.room, wishes.wanted)
    sheet.take(pool.holdout.get(label_class_id, []), sheet.room, Tile.Reason.HOLDOUT)
    return sheet


def _spares(sheet: Sheet, pool: Pool, wishes: Wishes) -> tuple[PlannedTile, ...]:
    """What is left of the pool, each image once and by the first reason to ask about it.

    Any of them may come onto the sheet, so none looks like a tile of it or like another spare.
    """
    spares: dict[int, PlannedTile] = {}
    looks = list(sheet.looks.values())
    for places, reason in (
        (pool.open[sheet.label_class_id], wishes.wanted),
        (pool.random, Tile.Reason.RANDOM),
    ):
        for place in places:
            known = place.image_id in sheet.tiles or place.image_id in spares
            if not known and not is_like_one_of(place.fingerprint, looks):
                spares[place.image_id] = sheet.tile(place, reason)
                looks.append(place.fingerprint)
    return tuple(spares.values())


def _rare(pool: Pool, wishes: Wishes) -> list[int]:
    """The rare classes that have something to ask. Those without Gold cost no graded sheet."""
    return [
        one
        for one in wishes.rare
        if pool.open.get(one) and not (wishes.graded and not pool.gold_of.get(one))
    ]


class _Asked(NamedTuple):
    """The class of a grid, what its most wanted images sum to, and whether it has any."""

    label_class_id: int
    worth: float
    wanted: bool


def _class_to_ask(pool: Pool, size: int, generator: Random) -> _Asked:
    """The class whose most wanted images sum to the most; equals are drawn from.

    Without any open image, a class of which the holdout is still asked.
    """
    wanted = any(pool.open.values())
    of_class = pool.open if wanted else {one: pool.holdout.get(one, []) for one in pool.open}
    worth = {
        label_class_id: (
            bool(places),
            round(sum(place.priority for place in places[:size]), 6),
            generator.random(),
        )
        for label_class_id, places in of_class.items()
    }
    best = max(worth, key=worth.__getitem__)
    return _Asked(best, worth[best][1], wanted)


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


def _make_room_for_no(sheet: Sheet, pool: Pool) -> None:
    """Replace sure yes tiles by random ones until at most YES_SHARE_MOST are expected."""
    spare = list(pool.random)
    while spare and sheet.yes_share > YES_SHARE_MOST:
        place = spare.pop()
        if not sheet.is_new(place):
            continue
        fresh = sheet.tile(place, Tile.Reason.RANDOM)
        asked = [t for t in sheet.tiles.values() if t.reason in ASKED]
        surest = max(asked, key=lambda tile: tile.probability, default=fresh)
        if surest.probability > fresh.probability:
            sheet.drop(surest.image_id)
            sheet.put(place, fresh)


ASKED = (Tile.Reason.UNCERTAIN, Tile.Reason.INFORMATION)
