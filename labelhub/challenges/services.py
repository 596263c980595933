"""Writes of Challenges: issue one, take its answer once, skip it."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from django.db import transaction

from labelhub.annotators.models import Annotator
from labelhub.challenges.answering import Reply, checked_answer, stored_reply, take
from labelhub.challenges.issuing import Clash, plan_grid, write_grid
from labelhub.challenges.models import Challenge, Tile
from labelhub.challenges.plans import Plan
from labelhub.challenges.refusals import (
    AnnotatorPaused,
    ChallengeNotFound,
    NothingToAsk,
    ProjectPaused,
    TooBusy,
)
from labelhub.challenges.reporting import (
    NOTHING_REPORTED,
    Reported,
    checked_report,
    record_reports,
)
from labelhub.challenges.selectors import (
    open_challenge,
    own_challenge,
)
from labelhub.projects.durability import unawaited_transaction
from labelhub.projects.models import Project
from labelhub.rounds.models import LONG_AGO, Candidate

logger = logging.getLogger(__name__)
LEAST_LEFT = timedelta(minutes=1)  # an open grid is given again while it lives so long
TRIES = 5  # when other grids take the images of a plan in the moment before it is written


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
    for _ in range(TRIES):
        if waiting := _open_grid(annotator, now, besides=[keep or ""]):
            return waiting
        try:
            if issued := _issue(annotator, now, generator):
                return issued
            raise NothingToAsk(_why_nothing(project))
        except Clash:
            continue
    raise TooBusy("other grids took the same images again and again")


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
    answer = checked_answer(annotator, public_id, selected, reported, now)
    if answer.is_repeated:
        return stored_reply(answer)
    with transaction.atomic():
        reply = take(answer, now)
    return reply or stored_reply(answer)


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

    One wait for the disk and one turn among the writers for both. Whatever goes wrong with the next
    grid, the answer counts. None comes along then, or when the answer is a repeated one, or when
    planning found nothing at once: ``issue_challenge`` looks further, and says why. Raises as
    ``submit_answer``.
    """
    answer = checked_answer(annotator, public_id, selected, reported, now)
    if answer.is_repeated:
        return stored_reply(answer), None
    ahead = _look_ahead(annotator, now, generator, besides=[public_id, keep or ""])
    with transaction.atomic():
        reply = take(answer, now)
        if reply and isinstance(ahead, Plan):
            ahead = _written(annotator, ahead, now)
    if reply is None:
        return stored_reply(answer), None
    return reply, ahead if isinstance(ahead, Challenge) else None


def _look_ahead(
    annotator: Annotator, now: datetime, generator: Random, *, besides: Sequence[str]
) -> Challenge | Plan | None:
    """The grid that waits already, or a plan for the next one, or nothing at once."""
    if annotator.project.status != Project.Status.ACTIVE:
        return None
    try:
        return _open_grid(annotator, now, besides=besides) or plan_grid(
            annotator=annotator, now=now, generator=generator, everywhere=False
        )
    except Exception:
        logger.exception("the next grid could not be planned; the answer before it is taken")
        return None


def _written(annotator: Annotator, plan: Plan, now: datetime) -> Challenge | None:
    """The planned grid, unless other grids took its images or something failed.

    The answer before it stands in either case, but where the database gave up the transaction of
    both (a full disk, a lost connection): then what it said comes out here.
    """
    try:
        with transaction.atomic():
            return write_grid(annotator=annotator, plan=plan, now=now)
    except Exception as error:
        if transaction.get_rollback():  # else the block around would end without a word
            raise
        if not isinstance(error, Clash):
            logger.exception("the next grid could not be written; the answer before it is taken")
        return None


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
