"""Labels that were checked and contradicted: the next sheets ask about their images again."""

from collections.abc import Sequence

from labelhub.projects.models import Image
from labelhub.projects.rows import update_rows
from labelhub.rounds.models import Candidate
from labelhub.rounds.queueing import MANY_PEOPLE
from labelhub.votes.consensus import ConsensusBatch
from labelhub.votes.services import NewVote

AGAIN = 10.0  # above every priority that an image has by itself
STILL_BELIEVED = 0.5  # of the label; less is in doubt, and asked about as such


def ask_again(*, checks: Sequence[NewVote], batch: ConsensusBatch) -> None:
    """Put the images whose label the answers contradict before all others of their class.

    ``checks`` are answers to Checks, ``batch`` is the consensus that heard them. One answer against
    a label is a slip more often than not; a second one tells. What many people have judged is left
    to an admin.
    """
    said = {vote.image_id: vote for vote in checks}
    rows = []
    for row, state in enumerate(batch.states):
        vote, best = said.get(state.image_id), int(batch.probabilities[row].argmax())
        label, sure = batch.model.label_classes[best], float(batch.probabilities[row, best])
        if vote is None or vote.answer == (vote.label_class_id == label):
            continue
        if sure >= STILL_BELIEVED and batch.humans[row] < MANY_PEOPLE:
            rows.append([label, sure, AGAIN, state.image_id])
    names = ("label_class", "probability", "priority", "image")
    update_rows(Candidate, names, rows, unless="queue <> 'open'")


def ask_again_about(*, image: Image) -> bool:
    """Put one image, whose label an admin doubts, before all others of its class; False where it is
    in no queue of open images."""
    queued = Candidate.objects.filter(image=image, queue=Candidate.Queue.OPEN)
    belief = image.consensus
    return bool(
        queued.update(
            form=Candidate.Form.GRID,
            label_class=belief.label_class_id,
            probability=belief.confidence,
            priority=AGAIN,
        )
    )
