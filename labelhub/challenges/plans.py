"""What a sheet will be, before it is a row: its tiles with why each is asked. No database."""

from dataclasses import dataclass
from typing import NamedTuple

from labelhub.challenges.models import Challenge, Tile
from labelhub.challenges.pool import Place
from labelhub.rounds.contradicted import AGAIN

SURE = 0.95  # of a label: the least at which it is worth knowing how often such labels are wrong


class PlannedTile(NamedTuple):
    """An image to be asked about, and why."""

    image_id: int
    reason: Tile.Reason
    probability: float  # that the image is of the class asked for; of a choice, the likeliest
    entropy: float  # of its consensus, in nats
    priority: float  # by the project's acquisition; information is in nats a second
    label: int = 0  # LabelClass id of its consensus; 0 where it was not read
    confidence: float = 0.0  # of the label

    @property
    def numbers(self) -> dict[str, float]:
        numbers = {
            "probability": round(self.probability, 4),
            "entropy": round(self.entropy, 4),
            "priority": round(self.priority, 4),
        }
        if self.label and self.reason == Tile.Reason.CHECK:
            numbers |= {"label": self.label, "confidence": round(self.confidence, 6)}
        return numbers


def planned(place: Place, reason: Tile.Reason, probability: float) -> PlannedTile:
    """A tile for a place of the pool.

    What is drawn at random and asked about its label checks it, where that is sure; where a Check
    contradicted a label, the next one does not wait for chance. ``probability`` is of the class
    that is asked about.
    """
    at_random = reason == Tile.Reason.RANDOM and place.humans and probability >= SURE
    if at_random or (place.priority == AGAIN and not place.label):
        reason = Tile.Reason.CHECK
    known = (place.label, place.confidence)
    return PlannedTile(place.image_id, reason, probability, place.entropy, place.priority, *known)


@dataclass(frozen=True)
class Plan:
    """A sheet before it is a row: ``tiles`` are in the order of their places.

    ``spares``, the most wanted first, stand in for tiles that another sheet takes meanwhile.
    """

    label_class_id: int | None  # None for a choice
    tiles: tuple[PlannedTile, ...]
    spares: tuple[PlannedTile, ...] = ()

    @property
    def form(self) -> Challenge.Form:
        return Challenge.Form.CHOICE if self.label_class_id is None else Challenge.Form.GRID

    @property
    def gold(self) -> tuple[int, ...]:
        """Images of the sheet that grade the answer."""
        return tuple(tile.image_id for tile in self.tiles if tile.reason == Tile.Reason.GOLD)
