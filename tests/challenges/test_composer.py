"""Which form a sheet has, and what it holds: the composer over pools made by hand."""

from collections import Counter
from collections.abc import Sequence

import pytest

from labelhub.challenges.composer import (
    GOLD_SHARE_OF_CHOICES,
    HOLDOUT_SHARE,
    Wishes,
    compose,
    known_only,
)
from labelhub.challenges.models import Challenge, Tile
from labelhub.challenges.plans import Plan
from labelhub.challenges.pool import Place, Pool
from labelhub.votes.questions import Costs
from tests.factories import dice

CIRCLE, CROSS = 1, 2
GRID, CHOICE = Challenge.Form.GRID, Challenge.Form.CHOICE
WISHES = Wishes(
    size=9,
    graded=False,
    random_share=0.0,
    check_share=0.0,
    costs=Costs(),
    wanted=Tile.Reason.INFORMATION,
)


def places(
    source: str, images: Sequence[int], *, priority: float = 0.2, of: int = CIRCLE
) -> list[Place]:
    return [Place(image, of, priority, 0.3, 1.0, "", source) for image in images]


def pool(
    *,
    circles: Sequence[Place] = (),
    crosses: Sequence[Place] = (),
    choice: Sequence[Place] = (),
    gold: Sequence[Place] = (),
    **parts: list[Place],
) -> Pool:
    return Pool(
        open={CIRCLE: list(circles), CROSS: list(crosses)},
        random=parts.get("random", []),
        gold=list(gold),
        gold_of={one: [row for row in gold if row.label_class_id == one] for one in (1, 2)},
        choice=list(choice),
        check=parts.get("check", []),
        holdout={CIRCLE: parts.get("holdout", []), CROSS: []},
    )


def composed(of: Pool, wishes: Wishes = WISHES, *, seed: int = 0) -> Plan:
    plan = compose(pool=of, wishes=wishes, generator=dice(seed))
    assert plan is not None
    return plan


def reasons(of: Pool, wishes: Wishes, *, sheets: int = 2000) -> dict[Tile.Reason, float]:
    """How often a sheet of one tile has each reason, in shares."""
    generator = dice()
    plans = [compose(pool=of, wishes=wishes, generator=generator) for _ in range(sheets)]
    assert all(plan is not None and plan.form == CHOICE for plan in plans)
    found = Counter(plan.tiles[0].reason for plan in plans if plan is not None)
    return {reason: times / sheets for reason, times in found.items()}


@pytest.mark.parametrize(
    ("of_grids", "of_choices", "form"), [(0.2, 0.3, CHOICE), (0.3, 0.2, GRID), (0.2, 0.2, GRID)]
)
def test_a_choice_is_asked_where_it_pays_more(of_grids: float, of_choices: float, form) -> None:
    both = pool(
        circles=places("open", range(9), priority=of_grids),
        choice=places("choice", range(20, 28), priority=of_choices),
    )
    plan = composed(both)
    assert plan.form == form
    assert (plan.label_class_id is None) == (form == CHOICE)
    assert len(plan.tiles) == (1 if form == CHOICE else 9)


def test_a_few_wanted_choices_are_not_outshone_by_one_of_them() -> None:
    """A person's time for a grid is that of several choices: all of them count."""
    one_great = [
        *places("choice", [20], priority=0.5),
        *places("choice", range(21, 24), priority=0.01),
    ]
    assert WISHES.choices_a_grid == 4
    assert composed(pool(circles=places("open", range(9)), choice=one_great)).form == GRID


def test_a_choice_asks_the_most_wanted_and_has_the_others_for_spares() -> None:
    plan = composed(pool(choice=places("choice", [7, 8, 9])))
    assert [tile.image_id for tile in plan.tiles] == [7]
    assert [tile.image_id for tile in plan.spares] == [8, 9]
    assert plan.tiles[0].reason == Tile.Reason.INFORMATION


@pytest.mark.parametrize("priority", [0.2, 0.0, -1.0])
def test_when_only_choices_are_left_they_are_asked_however_little_wanted(priority: float) -> None:
    left = places("choice", [7], priority=priority)
    plan = composed(pool(choice=left, random=places("random", [7, 30])))
    assert (plan.form, plan.tiles[0].image_id) == (CHOICE, 7)


def test_a_grid_is_about_a_class_that_has_images_however_little_wanted() -> None:
    contested = places("open", [7, 8], priority=-1.0, of=CROSS)
    for seed in range(8):
        assert composed(pool(crosses=contested), seed=seed).label_class_id == CROSS


def test_choices_hold_gold_holdout_checks_and_random_images_by_their_shares() -> None:
    wishes = Wishes(
        size=9,
        graded=True,
        random_share=0.1,
        check_share=0.2,
        costs=Costs(),
        wanted=Tile.Reason.UNCERTAIN,
    )
    found = reasons(
        pool(
            choice=places("choice", range(8)),
            gold=places("gold", [20, 21]),
            check=places("check", [30]),
            random=places("random", [40]),
            holdout=places("holdout", [50]),
        ),
        wishes,
    )
    assert found == pytest.approx(
        {
            Tile.Reason.GOLD: GOLD_SHARE_OF_CHOICES,
            Tile.Reason.HOLDOUT: HOLDOUT_SHARE,
            Tile.Reason.CHECK: 0.2,
            Tile.Reason.RANDOM: 0.1,
            Tile.Reason.UNCERTAIN: 0.7 - HOLDOUT_SHARE - GOLD_SHARE_OF_CHOICES,
        },
        abs=0.03,
    )


def test_who_is_not_graded_gets_no_gold_in_choices() -> None:
    of = pool(choice=places("choice", range(8)), gold=places("gold", [20, 21]))
    assert set(reasons(of, WISHES)) == {Tile.Reason.INFORMATION}


def test_a_known_image_that_is_its_own_spare_is_no_spare() -> None:
    wishes = Wishes(**{**vars(WISHES), "check_share": 1.0})
    both = pool(choice=places("choice", [7, 8]), check=places("check", [8]))
    plan = composed(both, wishes)
    assert [tile.image_id for tile in plan.tiles] == [8]
    assert [tile.image_id for tile in plan.spares] == [7]


def test_a_grid_checks_labels_of_its_own_class_alone() -> None:
    """Whether a circle is a circle tells of its label; whether it is a cross hardly does."""
    wishes = Wishes(**{**vars(WISHES), "check_share": 0.2})
    crosses = [one._replace(label=CROSS) for one in places("check", range(30, 36))]
    circles = [one._replace(label=CIRCLE) for one in places("check", [36, 37])]
    both = pool(circles=places("open", range(9)), check=[*crosses, *circles])
    checks = [
        [tile.image_id for tile in plan.tiles if tile.reason == Tile.Reason.CHECK]
        for plan in (composed(both, wishes, seed=seed) for seed in range(20))
    ]
    assert {len(drawn) for drawn in checks} == {0, 1, 2}
    assert all(set(drawn) <= {36, 37} for drawn in checks)


def test_without_anything_to_ask_there_is_no_plan() -> None:
    gold = places("gold", [20, 21])
    for nothing in (pool(gold=gold), Pool({}, [], gold, {}, [], [], {})):
        assert compose(pool=nothing, wishes=WISHES, generator=dice()) is None


def looking(places: Sequence[Place], *looks: int | None) -> list[Place]:
    """The places with these fingerprints. Numbers below 2⁸ look alike, as do whole 9-bit steps."""
    return [place._replace(fingerprint=look) for place, look in zip(places, looks, strict=True)]


FAR, FARTHER = 0xFFFF << 16, 0xFFFF << 40  # unlike each other and every number below 2⁸


def test_two_pictures_that_look_alike_never_stand_on_one_grid() -> None:
    burst = looking(places("open", range(6)), 0, 1, 3, 7, FAR, FARTHER)
    drawn = looking(places("random", [20, 21, 22]), 2, FAR + 1, None)
    for seed in range(10):
        plan = composed(pool(circles=burst, random=drawn), seed=seed)
        shown = {tile.image_id for tile in plan.tiles}
        assert shown == {0, 4, 5, 22}, "of each look the most wanted, and what is like no other"
        assert not plan.spares


def test_a_picture_that_looks_like_gold_does_not_stand_beside_it() -> None:
    graded = Wishes(**{**vars(WISHES), "graded": True})
    gold = [
        *looking(places("gold", [30, 31]), 0, 1),
        *looking(places("gold", [40], of=CROSS), FAR),
    ]
    wanted = looking(places("open", [1, 2, 3]), 3, FAR + 1, FARTHER)
    for seed in range(10):
        plan = composed(pool(circles=wanted, gold=gold), graded, seed=seed)
        shown = {tile.image_id for tile in plan.tiles}
        assert shown == {30, 40, 3}
    only = known_only(pool=pool(gold=gold), wishes=graded, generator=dice())
    assert only is not None
    assert len(only.tiles) == 2, "Gold alone is thinned too"


def test_of_gold_alone_some_but_not_most_is_of_the_class_asked_for() -> None:
    crosses, circles = places("gold", range(20, 38), of=CROSS), places("gold", range(18))
    of = pool(gold=[*circles, *crosses])
    found = set()
    for seed in range(60):
        plan = known_only(pool=of, wishes=WISHES, generator=dice(seed))
        assert plan is not None
        assert len(plan.tiles) == 9
        found.add(
            sum((tile.image_id < 20) == (plan.label_class_id == CIRCLE) for tile in plan.tiles)
        )
    assert found == {1, 2, 3, 4, 5, 6}  # of nine, 70 % at most


def test_when_all_that_is_left_looks_like_gold_it_is_asked_without_gold() -> None:
    graded = Wishes(**{**vars(WISHES), "graded": True})
    gold = [
        *looking(places("gold", [30]), 0),
        *looking(places("gold", [40], of=CROSS), FAR),
    ]
    plan = composed(pool(circles=looking(places("open", [1]), 1), gold=gold), graded)
    assert [tile.image_id for tile in plan.tiles] == [1]


def test_spares_look_like_no_tile_and_like_no_other_spare() -> None:
    """Any two of them may come onto the same sheet."""
    wishes = Wishes(**{**vars(WISHES), "size": 1})
    looks = (0, 1, FAR, FAR + 1, FARTHER, None, None)
    plan = composed(pool(circles=looking(places("open", range(7)), *looks)), wishes)
    assert [tile.image_id for tile in plan.tiles] == [0]
    assert [tile.image_id for tile in plan.spares] == [2, 4, 5, 6]


def test_what_makes_room_for_no_looks_like_no_tile_either() -> None:
    sure = [one._replace(probability=0.99) for one in places("open", range(9))]
    circles = looking(sure, *(0xFFFF << 4 * n for n in range(1, 10)))
    drawn = looking(places("random", [20, 21], of=CROSS), circles[0].fingerprint, None)
    shown = {tile.image_id for tile in composed(pool(circles=circles, random=drawn)).tiles}
    assert 21 in shown
    assert 20 not in shown


def test_pictures_without_a_fingerprint_are_unlike_each_other() -> None:
    assert len(composed(pool(circles=places("open", range(9)))).tiles) == 9


def test_a_rare_class_is_asked_about_whatever_is_wanted_more() -> None:
    rare = Wishes(**{**vars(WISHES), "rare": (CROSS,)})
    circles, crosses = places("open", range(9)), places("open", [20], priority=0.01, of=CROSS)
    choice = places("choice", range(30, 38), priority=0.9)
    both = pool(circles=circles, crosses=crosses, choice=choice)
    assert composed(both).form == CHOICE
    plan = composed(both, rare)
    assert plan.label_class_id == CROSS
    assert 20 in {tile.image_id for tile in plan.tiles}
    assert composed(pool(circles=circles, choice=choice), rare).form == CHOICE, "none is open"


def test_a_rare_class_without_gold_costs_no_graded_grid() -> None:
    wishes = Wishes(**{**vars(WISHES), "rare": (CROSS,), "graded": True})
    circles, crosses = places("open", range(9)), places("open", [20], priority=0.01, of=CROSS)
    gold = places("gold", [40, 41])
    assert composed(pool(circles=circles, crosses=crosses, gold=gold), wishes).label_class_id == (
        CIRCLE
    )
    known = [*gold, *places("gold", [50], of=CROSS)]
    plan = composed(pool(circles=circles, crosses=crosses, gold=known), wishes)
    assert plan.label_class_id == CROSS
    assert {40, 50} <= {tile.image_id for tile in plan.tiles}
