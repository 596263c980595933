"""Reads of Challenges. Each is one query of bounded size."""

from collections.abc import Sequence
from datetime import datetime

from labelhub.annotators.models import Annotator
from labelhub.annotators.skill import Skill
from labelhub.challenges.grading import AnsweredTile
from labelhub.challenges.models import Challenge, Tile
from labelhub.challenges.refusals import ChallengeNotFound
from labelhub.projects.prepared import PreparedSelect, columns, instance

GRADED_GRIDS = 40  # a person's skill is what the latest so many graded grids say


_open_challenge = PreparedSelect(
    lambda annotator, until, besides: (
        Challenge.objects.filter(
            annotator=annotator, state=Challenge.State.OPEN, expires_at__gt=until
        )
        .exclude(public_id__in=besides)
        .order_by("issued_at")
        .values_list(*columns(Challenge))[:1]
    )
)
_own_challenge = PreparedSelect(
    lambda annotator, public_id: Challenge.objects.filter(
        public_id=public_id, annotator=annotator
    ).values_list(*columns(Challenge))
)
_tiles_to_grade = PreparedSelect(
    lambda challenge: (
        Tile.objects.filter(challenge=challenge)
        .order_by("place")
        .values_list("image_id", "place", "reason", "image__gold__label_class_id")
    )
)
_tile_pictures = PreparedSelect(
    lambda public_id, key, slug: (
        Tile.objects.filter(
            challenge__public_id=public_id,
            challenge__annotator__key=key,
            challenge__project__slug=slug,
        )
        .order_by("place")
        .values_list("image__sha256")
    )
)
_graded = PreparedSelect(
    lambda annotator: (
        Challenge.objects.filter(annotator=annotator, graded=True)
        .order_by("-spent_at")
        .values_list("graded_yes", "graded_hits", "graded_no", "graded_false_alarms")
    )[:GRADED_GRIDS]
)


def open_challenge(
    *, annotator: Annotator, until: datetime, besides: Sequence[str]
) -> Challenge | None:
    """The oldest grid issued to this annotator that can be answered until then.

    ``besides`` are the public ids of grids that are not meant.
    """
    rows = _open_challenge.rows(annotator=annotator.pk, until=until, besides=list(besides))
    return instance(Challenge, rows[0]) if rows else None


def shown_challenge(*, annotator_key: str | None, project_slug: str, public_id: str) -> Challenge:
    """The challenge with its project and progress, for the page that shows it.

    Raises ChallengeNotFound, also for someone else's.
    """
    challenge = (
        Challenge.objects.filter(
            public_id=public_id, annotator__key=annotator_key, project__slug=project_slug
        )
        .select_related("project__progress")
        .first()
    )
    if annotator_key is None or challenge is None:
        raise ChallengeNotFound("there is no such grid")
    return challenge


def own_challenge(*, annotator: Annotator, public_id: str) -> Challenge | None:
    """The challenge, if it was issued to this annotator."""
    rows = _own_challenge.rows(annotator=annotator.pk, public_id=public_id)
    return instance(Challenge, rows[0]) if rows else None


def tiles_to_grade(*, challenge: Challenge) -> list[AnsweredTile]:
    """The tiles of a grid in the order of their places, with what is known of their images."""
    return [AnsweredTile(*row) for row in _tiles_to_grade.rows(challenge=challenge.pk)]


def tile_pictures(*, annotator_key: str, project_slug: str, public_id: str) -> list[str]:
    """Content hashes of the pictures of a grid by place; empty for others' grids."""
    rows = _tile_pictures.rows(public_id=public_id, key=annotator_key, slug=project_slug)
    return [sha256 for (sha256,) in rows]


def graded_totals(*, annotator: Annotator) -> Skill:
    """The sums over the annotator's latest graded grids."""
    rows = _graded.rows(annotator=annotator.pk)
    return (
        Skill(*(sum(column) for column in zip(*rows, strict=True))) if rows else Skill(0, 0, 0, 0)
    )
