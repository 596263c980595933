"""Places in the queues, before they are rows. No database."""

from datetime import datetime
from typing import NamedTuple

from labelhub.rounds.models import Candidate


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
