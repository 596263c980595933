"""What one answer says of its annotator: the Gold among its tiles, counted. No database."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from labelhub.annotators.skill import Skill
from labelhub.challenges.models import Tile
from labelhub.challenges.refusals import BadAnswer


class AnsweredTile(NamedTuple):
    """A tile of the grid being answered; ``gold`` is the class its image is known to be of."""

    image_id: int
    place: int
    reason: str
    gold: int | None


def checked(selected: Sequence[int], *, places: int) -> list[int]:
    """The selected places, sorted. Raises BadAnswer for places that are not there or doubled."""
    answer = sorted(selected)
    if len(set(answer)) != len(answer):
        raise BadAnswer("a square is named twice in the answer")
    if answer and (answer[0] < 0 or answer[-1] >= places):
        raise BadAnswer(f"the answer names a square outside 0 to {places - 1}")
    return answer


def grade(
    *, tiles: Sequence[AnsweredTile], answer: Collection[int], label_class_id: int | None
) -> Skill:
    """Hits and false alarms over the tiles that were asked because their class is known."""
    known = [tile for tile in tiles if tile.reason == Tile.Reason.GOLD and tile.gold]
    yes = [tile.place in answer for tile in known if tile.gold == label_class_id]
    no = [tile.place in answer for tile in known if tile.gold != label_class_id]
    return Skill(yes=len(yes), hits=sum(yes), no=len(no), false_alarms=sum(no))


def grade_choice(*, tiles: Sequence[AnsweredTile], chosen: Sequence[int]) -> Skill:
    """A hit or a miss where the picture was asked because its class is known."""
    known = [tile for tile in tiles if tile.reason == Tile.Reason.GOLD and tile.gold]
    hits = sum(tile.gold in chosen for tile in known)
    return Skill(yes=len(known), hits=hits, no=0, false_alarms=0)
