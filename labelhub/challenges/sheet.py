"""A grid while the composer fills it. No database."""

from collections.abc import Sequence

from labelhub.challenges.models import Tile
from labelhub.challenges.plans import PlannedTile, planned
from labelhub.challenges.pool import Place
from labelhub.projects.likeness import is_like_one_of


class Sheet:
    """A grid being filled: each image once, none that looks like another, never more than ``size``.

    A picture like another on the sheet is the same question twice, and like Gold it tells nothing.
    """

    def __init__(self, label_class_id: int, size: int) -> None:
        self.label_class_id = label_class_id
        self.size = size
        self.tiles: dict[int, PlannedTile] = {}
        self.looks: dict[int, int | None] = {}  # image id -> fingerprint

    @property
    def room(self) -> int:
        return self.size - len(self.tiles)

    def take(self, places: Sequence[Place], count: int, reason: Tile.Reason) -> None:
        """Add the first ``count`` places that are new on the sheet, as far as there is room."""
        left = min(count, self.room)
        for place in places:
            if left <= 0:
                return
            if self.is_new(place):
                self.put(place, self.tile(place, reason))
                left -= 1

    def is_new(self, place: Place) -> bool:
        """Whether neither the image nor one that looks like it is on the sheet."""
        if place.image_id in self.tiles:
            return False
        return not is_like_one_of(place.fingerprint, self.looks.values())

    def put(self, place: Place, tile: PlannedTile) -> None:
        """Add the tile of a place that is new."""
        self.tiles[place.image_id] = tile
        self.looks[place.image_id] = place.fingerprint

    def drop(self, image_id: int) -> None:
        """Take a tile off."""
        del self.tiles[image_id], self.looks[image_id]

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
