"""Writes of Challenges: issue one, take its answer once, skip it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from django.db import transaction

from labelhub.annotators.models import Annotator
from labelhub.annotators.services import record_grading
from labelhub.annotators.skill import Skill
from labelhub.challenges.composer import Plan
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
    open_challenge,
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
        return dict(vars(self))


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
    if issued := _open_grid(annotator, now, besides=[keep or ""]):
        return issued
    for _ in range(TRIES):
        try:
            if issued := _issue(annotator, now, generator):
                return issued
            raise NothingToAsk(_why_nothing(project))
        except Clash:
            continue
    raise TooBusy("other requests of this annotator took the same images")


def _open_grid(annotator: Annotator, now: datetime, *, besides: Sequence[str]) -> Challenge | None:
    """A grid of theirs that waits for its answer and has a while to live."""
    needed = min(LEAST_LEFT, timedelta(minutes=annotator.project.challenge_minutes) / 2)
    return open_challenge(annotator=annotator, until=now + needed, besides=besides)


def _issue(annotator: Annotator, now: datetime, generator: Random) -> Challenge | None:
    """Plan a grid, then write it: planning reads much, and nobody waits for it.

    None when nothing is left to ask, also after a look through the whole project. Raises Clash.
    """
    for everywhere in (False, True):
        plan = plan_grid(annotator=annotator, now=now, generator=generator, everywhere=everywhere)
        if plan is not None:
            with unawaited_transaction():
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
    answer = _checked_answer(annotator, public_id, selected, reported, now)
    if answer.is_repeated:
        return _stored_reply(answer)
    with transaction.atomic():
        return _take(answer, now)


def submit_answer_and_issue(
    *,
    annotator: Annotator,
    public_id: str,
    selected: Sequence[int],
    reported: Reported = NOTHING_REPORTED,
    now: datetime,
    generator: Random,
    keep: str | None = None,
) -> tuple[Reply, Challenge | None]:
    """Take an answer as ``submit_answer`` does, and issue the next grid in the same transaction.

    One wait for the disk and one turn among the writers for both. No next grid comes along when the
    answer is a repeated one, or when planning found nothing at once: ``issue_challenge`` looks
    further, and says why. Raises as ``submit_answer``.
    """
    answer = _checked_answer(annotator, public_id, selected, reported, now)
    if answer.is_repeated:
        return _stored_reply(answer), None
    following = _open_grid(annotator, now, besides=[public_id, keep or ""])
    plan = following or _plan_at_once(annotator, now, generator)
    with transaction.atomic():
        reply = _take(answer, now)
        if isinstance(plan, Plan):
            following = _written(annotator, plan, now)
    return reply, following


def _plan_at_once(annotator: Annotator, now: datetime, generator: Random) -> Plan | None:
    if annotator.project.status != Project.Status.ACTIVE:
        return None
    return plan_grid(annotator=annotator, now=now, generator=generator, everywhere=False)


def _written(annotator: Annotator, plan: Plan, now: datetime) -> Challenge | None:
    """The planned grid, unless other grids took its images; the answer before it stands."""
    try:
        with transaction.atomic():
            return write_grid(annotator=annotator, plan=plan, now=now)
    except Clash:
        return None


@dataclass(frozen=True)
class _Answer:
    """An answer that fits its grid, before it is taken."""

    annotator: Annotator
    challenge: Challenge
    places: list[int]  # selected, and not reported
    bad: Reported
    judged: list[AnsweredTile]
    grading: Skill

    @property
    def is_repeated(self) -> bool:
        return self.challenge.state != Challenge.State.OPEN


def _checked_answer(
    annotator: Annotator,
    public_id: str,
    selected: Sequence[int],
    reported: Reported,
    now: datetime,
) -> _Answer:
    challenge = own_challenge(annotator=annotator, public_id=public_id)
    if challenge is None:
        raise ChallengeNotFound("there is no such grid")
    tiles = tiles_to_grade(challenge=challenge)
    bad = checked_report(reported, places=len(tiles))
    places = [place for place in checked(selected, places=len(tiles)) if place not in bad.places]
    judged = [tile for tile in tiles if tile.place not in bad.places]
    grading = grade(tiles=judged, answer=places, label_class_id=challenge.label_class_id)
    answer = _Answer(annotator, challenge, places, bad, judged, grading)
    if not answer.is_repeated:
        if challenge.expires_at <= now:
            raise ChallengeExpired("this grid has expired; nothing was stored")
        if annotator.paused:
            raise AnnotatorPaused("this annotator is paused")
    return answer


def _take(answer: _Answer, now: datetime) -> Reply:
    """Spend the grid and store the answer, in the caller's transaction. Raises ChallengeSpent."""
    annotator, challenge = answer.annotator, answer.challenge
    reply = _reply(answer)
    if not _spend(answer, reply, now):
        challenge.refresh_from_db()
        return _stored_reply(answer)
    _store(answer, now)
    if answer.bad.places:
        record_reports(annotator=annotator, challenge=challenge, reported=answer.bad, now=now)
    if answer.grading.graded:
        record_grading(annotator=annotator, skill=graded_totals(annotator=annotator))
    return reply


def _reply(answer: _Answer) -> Reply:
    progress = answer.annotator.project.progress
    return Reply(
        judged=len(answer.judged),
        known=answer.grading.graded,
        right=answer.grading.right,
        settled=progress.settled,
        images=progress.images,
        reported=len(answer.bad.places),
    )


def _stored_reply(answer: _Answer) -> Reply:
    """The stored reply to the same answer. Raises ChallengeSpent for any other."""
    challenge, bad = answer.challenge, answer.bad
    answered = challenge.state == Challenge.State.ANSWERED
    same = answered and challenge.answer == answer.places
    if same and reported_before(challenge=challenge) == bad:
        stored: dict[str, int] = challenge.reply or {}
        return Reply(**stored)
    if challenge.state == Challenge.State.SKIPPED:
        raise ChallengeSpent("this grid was skipped; nothing was stored")
    raise ChallengeSpent("this grid was answered before; the first answer stands")


def _spend(answer: _Answer, reply: Reply, now: datetime) -> bool:
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


def _store(answer: _Answer, now: datetime) -> None:
    """Write the votes, the consensus they make, and where that puts the images."""
    challenge, project = answer.challenge, answer.annotator.project
    if challenge.label_class_id is None:
        raise ValueError(f"challenge {challenge.pk} of form {challenge.form} asks about no class")
    if not answer.judged:
        return
    batch = record_votes(
        project=project,
        annotator=answer.annotator,
        votes=[
            NewVote(tile.image_id, challenge.label_class_id, tile.place in answer.places)
            for tile in answer.judged
        ],
        challenge=challenge.public_id,
        now=now,
    )
    requeue(project=project, batch=batch, release=True)


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
