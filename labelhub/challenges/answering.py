"""Takes an answer: is it theirs, in time, and to places that are there; then what it changes.

Reading and checking need no transaction; ``take`` runs in its caller's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from labelhub.annotators.models import Annotator
from labelhub.annotators.services import record_grading
from labelhub.annotators.skill import Skill
from labelhub.challenges.grading import AnsweredTile, checked, grade, grade_choice
from labelhub.challenges.models import Challenge, Tile
from labelhub.challenges.refusals import (
    AnnotatorPaused,
    BadAnswer,
    ChallengeExpired,
    ChallengeNotFound,
    ChallengeSpent,
)
from labelhub.challenges.reporting import (
    Reported,
    checked_report,
    record_reports,
    reported_before,
)
from labelhub.challenges.selectors import graded_totals, own_challenge, tiles_to_grade
from labelhub.projects.rows import update_rows
from labelhub.projects.selectors import catalogue
from labelhub.rounds.contradicted import ask_again
from labelhub.rounds.queueing import requeue
from labelhub.votes.models import Vote
from labelhub.votes.services import NewVote, record_votes


@dataclass(frozen=True)
class Reply:
    """What is said to an answer: totals only, never which tile was the known one."""

    judged: int  # tiles of this answer
    known: int  # of these, how many grade it; 0 where that is not told
    right: int  # of the known ones, how many were answered right
    settled: int  # images of the project, as last counted
    images: int
    reported: int = 0  # tiles that show a bad picture; not among the judged

    def to_dict(self) -> dict[str, int]:
        return dict(vars(self))


@dataclass(frozen=True)
class Answer:
    """An answer that fits its grid, before it is taken."""

    annotator: Annotator
    challenge: Challenge
    places: list[int]  # of a grid: selected, and not reported; of a choice: the one class
    bad: Reported
    judged: list[AnsweredTile]
    grading: Skill

    @property
    def is_repeated(self) -> bool:
        return self.challenge.state != Challenge.State.OPEN


def checked_answer(
    annotator: Annotator,
    public_id: str,
    selected: Sequence[int],
    reported: Reported,
    now: datetime,
) -> Answer:
    """Raises ChallengeNotFound, BadAnswer, ChallengeExpired, AnnotatorPaused."""
    challenge = own_challenge(annotator=annotator, public_id=public_id)
    if challenge is None:
        raise ChallengeNotFound("there is no such grid")
    tiles = tiles_to_grade(challenge=challenge)
    bad = checked_report(reported, places=len(tiles))
    judged = [tile for tile in tiles if tile.place not in bad.places]
    if challenge.form == Challenge.Form.CHOICE:
        places = _checked_choice(annotator, selected) if judged else []
        grading = grade_choice(tiles=judged, chosen=places)
    else:
        marked = checked(selected, places=len(tiles))
        places = [place for place in marked if place not in bad.places]
        grading = grade(tiles=judged, answer=places, label_class_id=challenge.label_class_id)
    answer = Answer(annotator, challenge, places, bad, judged, grading)
    if not answer.is_repeated:
        if challenge.expires_at <= now:
            raise ChallengeExpired("this grid has expired; nothing was stored")
        if annotator.paused:
            raise AnnotatorPaused("this annotator is paused")
    return answer


def _checked_choice(annotator: Annotator, chosen: Sequence[int]) -> list[int]:
    """The one class of a choice. Raises BadAnswer for none, several, or another project's."""
    if len(chosen) != 1:
        raise BadAnswer(f"a choice names one class, not {len(chosen)}")
    if chosen[0] not in {entry.id for entry in catalogue(annotator.project).entries}:
        raise BadAnswer("the answer names a class that this project does not have")
    return list(chosen)


def take(answer: Answer, now: datetime) -> Reply | None:
    """Spend the grid and store the answer, in the caller's transaction.

    None when another answer came first: then ``stored_reply`` tells what was said to that one.
    """
    annotator, challenge = answer.annotator, answer.challenge
    reply = _reply(answer)
    if not _spend(answer, reply, now):
        return None
    _store(answer, now)
    if answer.bad.places:
        record_reports(annotator=annotator, challenge=challenge, reported=answer.bad, now=now)
    if answer.grading.graded:
        record_grading(annotator=annotator, skill=graded_totals(annotator=annotator))
    return reply


def _reply(answer: Answer) -> Reply:
    progress = answer.annotator.project.progress
    told = answer.grading if _may_be_told(answer) else Skill(0, 0, 0, 0)
    return Reply(
        judged=len(answer.judged),
        known=told.graded,
        right=told.right,
        settled=progress.settled,
        images=progress.images,
        reported=len(answer.bad.places),
    )


def _may_be_told(answer: Answer) -> bool:
    """Whether totals help nobody who must not be helped.

    Where all is known, as in a choice, they would say which and how it is right; whose answers tell
    nothing hears what those hear who met nothing known.
    """
    return answer.annotator.is_believed and answer.grading.graded < len(answer.judged)


def stored_reply(answer: Answer) -> Reply:
    """The stored reply to the same answer. Raises ChallengeSpent for any other."""
    challenge, bad = answer.challenge, answer.bad
    if not answer.is_repeated:  # as it was read; another one was taken since
        challenge.refresh_from_db()
    answered = challenge.state == Challenge.State.ANSWERED
    same = answered and challenge.answer == answer.places
    if same and reported_before(challenge=challenge) == bad:
        stored: dict[str, int] = challenge.reply or {}
        return Reply(**stored)
    if challenge.state == Challenge.State.SKIPPED:
        raise ChallengeSpent("this grid was skipped; nothing was stored")
    raise ChallengeSpent("this grid was answered before; the first answer stands")


def _spend(answer: Answer, reply: Reply, now: datetime) -> bool:
    """Spend the challenge by one conditional write; False when another answer came first."""
    grading = answer.grading
    spent = {
        "state": Challenge.State.ANSWERED,
        "spent_at": now,
        "answer": answer.places,
        "reply": reply.to_dict(),
        "graded": grading.graded > 0,
        "graded_yes": grading.yes,
        "graded_hits": grading.hits,
        "graded_no": grading.no,
        "graded_false_alarms": grading.false_alarms,
        "id": answer.challenge.pk,
    }
    written = update_rows(Challenge, tuple(spent), [list(spent.values())], unless="state <> 'open'")
    return written == 1


def _store(answer: Answer, now: datetime) -> None:
    """Write the votes, the consensus they make, and where that puts the images."""
    challenge, project = answer.challenge, answer.annotator.project
    if not answer.judged:
        return
    votes = _votes(answer)
    batch = record_votes(
        project=project,
        annotator=answer.annotator,
        votes=votes,
        challenge=challenge.public_id,
        now=now,
    )
    requeue(project=project, batch=batch, release=True)
    checks = {tile.image_id for tile in answer.judged if tile.reason == Tile.Reason.CHECK}
    if checks:
        ask_again(checks=[vote for vote in votes if vote.image_id in checks], batch=batch)


def _votes(answer: Answer) -> list[NewVote]:
    """What the answer says of each image that it judges."""
    asked = answer.challenge.label_class_id
    if asked is None:
        return [
            NewVote(tile.image_id, answer.places[0], answer=True, kind=Vote.Kind.CHOICE)
            for tile in answer.judged
        ]
    return [NewVote(tile.image_id, asked, tile.place in answer.places) for tile in answer.judged]
