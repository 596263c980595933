"""Reads of Challenges. Each is one query of bounded size."""

from datetime import datetime

from django.db.models import Sum

from labelhub.annotators.models import Annotator
from labelhub.challenges.grading import AnsweredTile
from labelhub.challenges.models import Challenge, Tile

GRADED_GRIDS = 40  # a person's skill is what the latest so many graded grids say
OPEN_WINDOW = 2


def open_challenges(*, annotator: Annotator, now: datetime) -> list[Challenge]:
    """Grids issued to this annotator that can still be answered, oldest first."""
    return list(
        Challenge.objects.filter(
            annotator=annotator, state=Challenge.State.OPEN, expires_at__gt=now
        ).order_by("issued_at")[:OPEN_WINDOW]
    )


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


def graded_totals(*, annotator: Annotator) -> dict[str, int]:
    """Sums over the annotator's latest graded grids: yes, hits, no, false_alarms."""
    latest = Challenge.objects.filter(annotator=annotator, graded=True).order_by("-spent_at")
    totals = latest[:GRADED_GRIDS].aggregate(
        yes=Sum("graded_yes"),
        hits=Sum("graded_hits"),
        no=Sum("graded_no"),
        false_alarms=Sum("graded_false_alarms"),
    )
    return {name: total or 0 for name, total in totals.items()}
