"""A grid while the composer fills it. No database."""

from collections.abc import Sequence

from labelhub.challenges.models import Tile
from labelhub.challenges.plans import PlannedTile, planned
from labelhub.challenges.pool import Place


class Sheet:
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
        if place.label == self.label_class_id:
            probability = place.confidence
        elif place.label_class_id == self.label_class_id:
            probability = place.probability
        else:
            probability = min(0.1, 1 - place.probability)
        return planned(place, reason, probability)

    @property
    def asks_something(self) -> bool:
        return any(tile.reason != Tile.Reason.GOLD for tile in self.tiles.values())

    @property
    def yes_share(self) -> float:
        return sum(tile.probability for tile in self.tiles.values()) / len(self.tiles)
