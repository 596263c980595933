"""Reports of bad pictures: written with the answer they came with, closed by an admin's decision.

Two people's word takes a picture out of the queues until an admin has looked; its votes, and what
networks learn from it, stay. Only an admin excludes it. So that nobody can empty a project with a
few made-up visitors, people's word alone holds back no more than a small share of the pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Count, QuerySet

from labelhub.annotators.models import Annotator
from labelhub.challenges.grading import checked
from labelhub.challenges.models import Challenge, Report, Tile
from labelhub.challenges.refusals import BadAnswer
from labelhub.projects.models import Image, Project
from labelhub.rounds.models import LONG_AGO, Candidate
from labelhub.rounds.queueing import exclude_image, include_image, withdraw

PEOPLE = 2  # who must report a picture before it leaves the queues
HELD_SHARE, HELD_LEAST = 0.05, 10  # of a project's pictures: the most that people can hold back


@dataclass(frozen=True)
class Reported:
    """Squares of one answer that show a bad picture, and what is wrong with them."""

    places: tuple[int, ...] = ()
    reason: str = ""


NOTHING_REPORTED = Reported()


def checked_report(reported: Reported, *, places: int) -> Reported:
    """The report with its places sorted. Raises BadAnswer for places or a reason there is not."""
    if not reported.places:
        return NOTHING_REPORTED
    if reported.reason not in Report.Reason.values:
        raise BadAnswer(f"a report says why: {', '.join(Report.Reason.values)}")
    return Reported(tuple(checked(reported.places, places=places)), reported.reason)


def reported_before(*, challenge: Challenge) -> Reported:
    """What was reported with the answer to a grid."""
    rows = list(
        Report.objects.filter(tile__challenge=challenge)
        .order_by("tile__place")
        .values_list("tile__place", "reason")
    )
    return Reported(tuple(place for place, _ in rows), rows[0][1]) if rows else NOTHING_REPORTED


def open_reports(*, project: Project) -> QuerySet[Report]:
    """Reports that wait for an admin. Of an excluded image they wait for nothing."""
    return Report.objects.filter(
        project=project, decided_at__isnull=True, image__status=Image.Status.ACTIVE
    )


def record_reports(
    *, annotator: Annotator, challenge: Challenge, reported: Reported, now: datetime
) -> None:
    """Write the reports of an answer, inside its transaction, and free their pictures.

    Those that enough people reported leave the queues. The rows of the queue are locked before the
    reports are counted: two people who report at once are two.
    """
    tiles = Tile.objects.filter(challenge=challenge, place__in=reported.places).order_by("image_id")
    images = [tile.image_id for tile in tiles]
    queued = Candidate.objects.filter(image_id__in=images)
    list(queued.select_for_update().order_by("image_id").values_list("pk"))
    queued.update(leased_until=LONG_AGO)
    Report.objects.bulk_create(
        Report(
            project_id=challenge.project_id,
            tile=tile,
            annotator=annotator,
            image_id=tile.image_id,
            reason=reported.reason,
            reported_at=now,
        )
        for tile in tiles
    )
    _hold_back(annotator.project, images)


def _hold_back(project: Project, images: Sequence[int]) -> None:
    """Take out of the queues what enough people reported, as far as their word goes."""
    waiting = open_reports(project=project)
    agreed = list(
        waiting.filter(image_id__in=images, image__candidate__isnull=False)
        .values_list("image_id", flat=True)
        .annotate(people=Count("annotator", distinct=True))
        .filter(people__gte=PEOPLE)
    )
    if not agreed:
        return
    held = waiting.filter(image__candidate__isnull=True).values("image").distinct().count()
    most = max(HELD_LEAST, int(project.progress.images * HELD_SHARE))
    withdraw(images=agreed[: max(0, most - held)])


def decide(
    *, image: Image, decision: Report.Decision, decided_by_id: int | None, now: datetime
) -> None:
    """Exclude an image, or keep it: it counts, and is asked about, again. Closes its reports.

    Nobody needs to have reported it. Each decision undoes the other; the same twice is no change.
    """
    with transaction.atomic():
        if decision == Report.Decision.EXCLUDED:
            exclude_image(image=image)
        else:
            include_image(image=image, now=now)
        Report.objects.filter(image=image, decided_at__isnull=True).update(
            decision=decision, decided_at=now, decided_by_id=decided_by_id
        )
