"""Reads of Challenges. Each is one query of bounded size."""

from datetime import datetime

from django.db.models import Count

from labelhub.annotators.models import Annotator
from labelhub.annotators.skill import Skill
from labelhub.challenges.grading import AnsweredTile
from labelhub.challenges.models import Challenge, Tile
from labelhub.challenges.refusals import ChallengeNotFound

GRADED_GRIDS = 40  # a person's skill is what the latest so many graded grids say
OPEN_WINDOW = 2


def open_challenges(*, annotator: Annotator, now: datetime) -> list[Challenge]:
    """Grids issued to this annotator that can still be answered, oldest first."""
    return list(
        Challenge.objects.filter(
            annotator=annotator, state=Challenge.State.OPEN, expires_at__gt=now
        )
        .annotate(tile_count=Count("tiles"))  # type: ignore[no-redef]
        .order_by("issued_at")[:OPEN_WINDOW]
    )


def shown_challenge(*, annotator_key: str | None, project_slug: str, public_id: str) -> Challenge:
    """The challenge with its project, progress and number of tiles, for the page that shows it.

    Raises ChallengeNotFound, also for someone else's.
    """
    challenge = (
        Challenge.objects.filter(
            public_id=public_id, annotator__key=annotator_key, project__slug=project_slug
        )
        .select_related("project__progress")
        .annotate(tile_count=Count("tiles"))  # type: ignore[no-redef]
        .first()
    )
    if annotator_key is None or challenge is None:
        raise ChallengeNotFound("there is no such grid")
    return challenge


def own_challenge(*, annotator: Annotator, public_id: str) -> Challenge | None:
    """The challenge, if it was issued to this annotator."""
    return Challenge.objects.filter(public_id=public_id, annotator=annotator).first()


def tiles_to_grade(*, challenge: Challenge) -> list[AnsweredTile]:
    """The tiles of a grid in the order of their places, with what is known of their images."""
    rows = challenge.tiles.order_by("place").values_list(
        "image_id", "place", "reason", "image__gold__label_class_id"
    )
    return [AnsweredTile(*row) for row in rows]


def tile_pictures(*, annotator_key: str, project_slug: str, public_id: str) -> list[str]:
    """Content hashes of the pictures of a grid by place; empty for others' grids."""
    return list(
        Tile.objects.filter(
            challenge__public_id=public_id,
            challenge__annotator__key=annotator_key,
            challenge__project__slug=project_slug,
        )
        .order_by("place")
        .values_list("image__sha256", flat=True)
    )


def graded_totals(*, annotator: Annotator) -> Skill:
    """The sums over the annotator's latest graded grids."""
    latest = (
        Challenge.objects.filter(annotator=annotator, graded=True)
        .order_by("-spent_at")
        .values_list("graded_yes", "graded_hits", "graded_no", "graded_false_alarms")
    )[:GRADED_GRIDS]
    return Skill(*(sum(column) for column in zip(*latest, strict=True)))
