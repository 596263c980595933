"""Places in the queues, before they are rows. No database."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from labelhub.projects.likeness import like_an_earlier
from labelhub.rounds.models import Candidate

LATER = 0.01  # of an image's priority, while one that looks like it is still to be settled


class QueuePlace(NamedTuple):
    """Where a Consensus puts an image; the columns of Candidate of the same names."""

    queue: Candidate.Queue
    form: Candidate.Form
    settled: bool
    label_class_id: int
    priority: float
    probability: float
    entropy: float
    score: float
    leased_until: datetime  # no lease
    image_id: int


def one_of_each_look(
    places: Sequence[QueuePlace], looks: Mapping[int, int | None]
) -> list[QueuePlace]:
    """Put off all but the most wanted of the open images that look alike: what people say of that
    one teaches the network about the others.

    ``looks`` are fingerprints by image id. Settled, contested, Gold and holdout images stay where
    they are.
    """
    waiting = [
        place
        for place in places
        if place.queue == Candidate.Queue.OPEN and not place.settled and place.priority > 0
    ]
    waiting.sort(key=lambda place: -place.priority)
    alike = like_an_earlier([looks.get(place.image_id) for place in waiting])
    late = {place.image_id for place, is_late in zip(waiting, alike, strict=True) if is_late}
    return [
        place._replace(priority=LATER * place.priority) if place.image_id in late else place
        for place in places
    ]
