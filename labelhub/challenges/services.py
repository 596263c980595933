"""Writes of Challenges: issue one, take its answer once, skip it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from random import Random

from django.db import transaction

from labelhub.annotators.models import Annotator
from labelhub.annotators.services import record_grading
from labelhub.annotators.skill import Skill
from labelhub.challenges.grading import AnsweredTile, checked, grade
from labelhub.challenges.issuing import Clash, plan_grid, write_grid
from labelhub.challenges.models import Challenge, Tile
from labelhub.challenges.refusals import (
    AnnotatorPaused,
    ChallengeExpired,
    ChallengeNotFound,
    ChallengeSpent,
    NothingToAsk,
    ProjectPaused,
    TooBusy,
)
from labelhub.challenges.reporting import (
    NOTHING_REPORTED,
    Reported,
    checked_report,
    record_reports,
    reported_before,
)
from labelhub.challenges.selectors import (
    graded_totals,
    open_challenges,
    own_challenge,
    tiles_to_grade,
)
from labelhub.projects.durability import unawaited_transaction
from labelhub.projects.models import Project
from labelhub.projects.rows import update_rows
from labelhub.rounds.models import LONG_AGO, Candidate
from labelhub.rounds.queueing import requeue
from labelhub.votes.services import NewVote, record_votes

LEAST_LEFT = timedelta(minutes=1)  # an open grid is given again while it lives so long
TRIES = 3  # when two requests of one person take the same Gold in the same moment


@dataclass(frozen=True)
class Reply:
    """What is said to an answer: totals only, never which tile was the known one."""

    judged: int  # tiles of this answer
    known: int  # of these, how many grade it
    right: int  # of the known ones, how many were answered right
    settled: int  # images of the project, as last counted
    images: int
    reported: int = 0  # tiles that show a bad picture; not among the judged

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


def issue_challenge(
    *, annotator: Annotator, now: datetime, generator: Random, keep: str | None = None
) -> Challenge:
    """The next grid for this annotator.

    A grid that was issued and not answered is given again, so that reloading a page wastes no
    images, unless it is about to expire; ``keep`` is the public id of the one on the screen, which
    is not "next". Raises ProjectPaused, AnnotatorPaused, NothingToAsk, TooBusy.
    """
    project = annotator.project
    if project.status != Project.Status.ACTIVE:
        raise ProjectPaused(f"{project.name} is paused")
    if annotator.paused:
        raise AnnotatorPaused("this annotator is paused")
    needed = min(LEAST_LEFT, timedelta(minutes=project.challenge_minutes) / 2)
    for challenge in open_challenges(annotator=annotator, until=now + needed):
        if challenge.public_id != keep:
            return challenge
    for _ in range(TRIES):
        try:
            if issued := _issue(annotator, now, generator):
                return issued
            raise NothingToAsk(_why_nothing(project))
        except Clash:
            continue
    raise TooBusy("other requests of this annotator took the same images")


def _issue(annotator: Annotator, now: datetime, generator: Random) -> Challenge | None:
    """Plan a grid and write it in one transaction: what was read is still free when it is leased.

    None when nothing is left to ask, also after a look through the whole project.
    """
    with unawaited_transaction():
        for everywhere in (False, True):
            plan = plan_grid(
                annotator=annotator, now=now, generator=generator, everywhere=everywhere
            )
            if plan is not None:
                return write_grid(annotator=annotator, plan=plan, now=now)
    return None


def _why_nothing(project: Project) -> str:
    if not Candidate.objects.filter(project=project).exists():
        return "This project has no pictures yet."
    return "You have seen every picture that is waiting for an answer."


def submit_answer(
    *,
    annotator: Annotator,
    public_id: str,
    selected: Sequence[int],
    reported: Reported = NOTHING_REPORTED,
    now: datetime,
) -> Reply:
    """Take the answer to a grid: votes, consensus, queues and grading in one transaction.

    A reported square is no vote, be it selected or not, and grades nobody. The same answer with the
    same reports gives the stored reply and changes nothing. Raises ChallengeNotFound,
    ChallengeSpent, ChallengeExpired, BadAnswer, AnnotatorPaused.
    """
    challenge = own_challenge(annotator=annotator, public_id=public_id)
    if challenge is None:
        raise ChallengeNotFound("there is no such grid")
    tiles = tiles_to_grade(challenge=challenge)
    bad = checked_report(reported, places=len(tiles))
    answer = [place for place in checked(selected, places=len(tiles)) if place not in bad.places]
    if challenge.state != Challenge.State.OPEN:
        return _repeated(challenge, answer, bad)
    if challenge.expires_at <= now:
        raise ChallengeExpired("this grid has expired; nothing was stored")
    if annotator.paused:
        raise AnnotatorPaused("this annotator is paused")
    judged = [tile for tile in tiles if tile.place not in bad.places]
    grading = grade(tiles=judged, answer=answer, label_class_id=challenge.label_class_id)
    reply = _reply(annotator.project, judged, grading, bad)
    with transaction.atomic():
        if not _spend(challenge, answer, reply, grading, now):
            challenge.refresh_from_db()
            return _repeated(challenge, answer, bad)
        _store(annotator, challenge, judged, answer, now)
        if bad.places:
            record_reports(annotator=annotator, challenge=challenge, reported=bad, now=now)
        if grading.graded:
            record_grading(annotator=annotator, skill=graded_totals(annotator=annotator))
    return reply


def _reply(
    project: Project, judged: Sequence[AnsweredTile], grading: Skill, bad: Reported
) -> Reply:
    return Reply(
        judged=len(judged),
        known=grading.graded,
        right=grading.right,
        settled=project.progress.settled,
        images=project.progress.images,
        reported=len(bad.places),
    )


def _repeated(challenge: Challenge, answer: list[int], bad: Reported) -> Reply:
    """The stored reply to the same answer. Raises ChallengeSpent for any other."""
    answered = challenge.state == Challenge.State.ANSWERED
    if answered and challenge.answer == answer and reported_before(challenge=challenge) == bad:
        stored: dict[str, int] = challenge.reply or {}
        return Reply(**stored)
    if challenge.state == Challenge.State.SKIPPED:
        raise ChallengeSpent("this grid was skipped; nothing was stored")
    raise ChallengeSpent("this grid was answered before; the first answer stands")


def _spend(
    challenge: Challenge, answer: list[int], reply: Reply, grading: Skill, now: datetime
) -> bool:
    """Spend the challenge by one conditional write; False when another answer came first."""
    spent = {
        "state": Challenge.State.ANSWERED,
        "spent_at": now,
        "answer": answer,
        "reply": reply.to_dict(),
        "graded": grading.graded > 0,
        "graded_yes": grading.yes,
        "graded_hits": grading.hits,
        "graded_no": grading.no,
        "graded_false_alarms": grading.false_alarms,
        "id": challenge.pk,
    }
    written = update_rows(Challenge, tuple(spent), [list(spent.values())], unless="state <> 'open'")
    return written == 1


def _store(
    annotator: Annotator,
    challenge: Challenge,
    tiles: Sequence[AnsweredTile],
    answer: Sequence[int],
    now: datetime,
) -> None:
    """Write the votes, the consensus they make, and where that puts the images."""
    if challenge.label_class_id is None:
        raise ValueError(f"challenge {challenge.pk} of form {challenge.form} asks about no class")
    if not tiles:
        return
    votes = [
        NewVote(tile.image_id, challenge.label_class_id, tile.place in answer) for tile in tiles
    ]
    batch = record_votes(
        project=annotator.project,
        annotator=annotator,
        votes=votes,
        challenge=challenge.public_id,
        now=now,
    )
    requeue(project=annotator.project, batch=batch, release=True)


def skip_challenge(
    *,
    annotator: Annotator,
    public_id: str,
    reported: Reported = NOTHING_REPORTED,
    now: datetime,
) -> None:
    """Put a grid away unanswered: no votes, and its images are free for others at once.

    What is reported counts all the same. Raises ChallengeNotFound, BadAnswer; skipping a spent grid
    changes nothing.
    """
    challenge = own_challenge(annotator=annotator, public_id=public_id)
    if challenge is None:
        raise ChallengeNotFound("there is no such grid")
    bad = checked_report(reported, places=challenge.places)
    with transaction.atomic():
        skipped = Challenge.objects.filter(pk=challenge.pk, state=Challenge.State.OPEN).update(
            state=Challenge.State.SKIPPED, spent_at=now
        )
        if skipped and challenge.expires_at > now:
            images = Tile.objects.filter(challenge=challenge).values("image_id")
            Candidate.objects.filter(image_id__in=images).update(leased_until=LONG_AGO)
            if bad.places and not annotator.paused:
                record_reports(annotator=annotator, challenge=challenge, reported=bad, now=now)
