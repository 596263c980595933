"""From a plan to a Challenge: the leases and rows of one grid, written together or not at all."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from django.db import IntegrityError, connection
from django.db.models import Case, F, Q, QuerySet, Value, When

from labelhub.annotators.models import Annotator
from labelhub.challenges import composer
from labelhub.challenges.composer import Wishes
from labelhub.challenges.models import Challenge, Tile
from labelhub.challenges.plans import Plan, PlannedTile
from labelhub.challenges.pool import read_pool
from labelhub.projects.models import Project
from labelhub.projects.prepared import PreparedUpdate, columns
from labelhub.projects.rows import insert_row, insert_rows
from labelhub.projects.selectors import catalogue
from labelhub.rounds.models import Candidate
from labelhub.votes.questions import Costs

_IS_GOLD = Q(queue=Candidate.Queue.GOLD)
PROBATION = timedelta(minutes=20)  # between the grids of somebody whose answers tell nothing
CONTENDERS = 3  # classes compared for one grid: the best of a few random ones
CONTENDERS_AT_THE_END = 50  # classes looked through before we say that nothing is left
RARE_SHARE = 0.05  # of the sheets: about the class that was found least so far
RAREST = 2  # classes read for one of these, should somebody have seen all of the first


class Clash(RuntimeError):
    """Other grids took too many of the planned images between reading and writing."""


def plan_grid(
    *, annotator: Annotator, now: datetime, generator: Random, everywhere: bool
) -> Plan | None:
    """Read a pool and compose a grid from it; ``everywhere`` looks through the whole project.

    Somebody whose answers tell nothing gets Gold alone, and seldom: no question is wasted on them,
    what they are told is what others hear when they have seen everything or met no Gold, and who
    was misjudged can show it.
    """
    project = annotator.project
    believed = annotator.is_believed
    if not believed and _was_graded(annotator, since=now - PROBATION):
        return None
    askable = [entry.id for entry in catalogue(project).askable]
    contenders = CONTENDERS_AT_THE_END if everywhere else CONTENDERS
    rare = [] if everywhere or not believed else _rare(project, askable, generator)
    others = [one for one in askable if one not in rare]
    drawn = generator.sample(others, min(contenders - len(rare), len(others)))
    pool = read_pool(
        project_id=project.pk,
        annotator_id=annotator.pk,
        classes=[*rare, *drawn],
        size=project.tiles_per_grid,
        choices=project.asks_choices,
        generator=generator,
        now=now,
        everywhere=everywhere,
        gold_alone=not believed,
    )
    graded = _is_graded(annotator, generator)
    wishes = Wishes.of(project, graded=graded, costs=_costs(project), rare=tuple(rare))
    if not believed:
        return composer.known_only(pool=pool, wishes=wishes, generator=generator)
    return composer.compose(pool=pool, wishes=wishes, generator=generator)


def _costs(project: Project) -> Costs:
    """Of people's time in this project, as learned by its last Round. Progress is at hand, the
    Parameters would take a query of their own."""
    return Costs(tile=project.progress.tile_seconds, choice=project.progress.choice_seconds)


def _rare(project: Project, askable: Sequence[int], generator: Random) -> list[int]:
    """Now and then, the classes found least so far of those that have images to ask about; else
    none. Equals are drawn from.

    A class of few images never sums to the most: without this it would wait for all others. The
    counts are those of the last count of the project's progress.
    """
    found: dict[str, int] = project.progress.found or {}
    waiting = [one for one in askable if str(one) in found]
    if not waiting or generator.random() >= RARE_SHARE:
        return []
    generator.shuffle(waiting)
    return sorted(waiting, key=lambda one: found[str(one)])[:RAREST]


def _was_graded(annotator: Annotator, *, since: datetime) -> bool:
    """By an index that holds graded answers alone; a grid that waits is given again before."""
    graded = Challenge.objects.filter(annotator=annotator, graded=True, spent_at__gt=since)
    return graded.exists()


def _is_graded(annotator: Annotator, generator: Random) -> bool:
    """Every sheet of somebody who is not known to answer well, and a share of the others', which
    shrinks as they are known better, and where the whole crowd does well.

    Who came by an account is known from the start, unless the first graded answers say otherwise.
    """
    skill = annotator.skill
    trusted = skill.is_known_good or (annotator.user_id is not None and skill.is_promising)
    project = annotator.project
    share = project.graded_share * project.progress.doubt * skill.novelty
    return not trusted or generator.random() < share


def write_grid(*, annotator: Annotator, plan: Plan, now: datetime) -> Challenge:
    """Claim the images of a plan and write its Challenge and Tiles.

    Inside the caller's transaction, which must not outlive a Clash. Raises Clash.
    """
    expires_at = now + timedelta(minutes=annotator.project.challenge_minutes)
    tiles = _claimed(plan, until=expires_at, now=now)
    challenge = Challenge(
        public_id=secrets.token_urlsafe(16),
        project_id=annotator.project_id,
        annotator=annotator,
        form=plan.form,
        label_class_id=plan.label_class_id,
        places=len(tiles),
        issued_at=now,
        expires_at=expires_at,
    )
    names = columns(Challenge)[1:]  # all but the id
    challenge.pk = insert_row(Challenge, names, [getattr(challenge, name) for name in names])
    try:
        insert_rows(
            Tile,
            ("challenge", "annotator", "image", "place", "reason", "numbers"),
            [  # by image: two requests of one person wait in line for the same key, not crosswise
                (challenge.pk, annotator.pk, tile.image_id, place, tile.reason, tile.numbers)
                for place, tile in sorted(enumerate(tiles), key=lambda of: of[1].image_id)
            ],
        )
    except IntegrityError as error:  # the same person's other request took the same images
        raise Clash from error
    return challenge


def _free(images: list[int], now: datetime) -> QuerySet[Candidate]:
    """Those of the images that may be leased. A row that another transaction is writing is passed
    over, not waited for; on SQLite there is none."""
    free = Candidate.objects.filter(_IS_GOLD | Q(leased_until__lte=now), image_id__in=images)
    if not connection.features.has_select_for_update_skip_locked:
        return free
    return Candidate.objects.filter(pk__in=free.select_for_update(skip_locked=True).values("pk"))


_leased = PreparedUpdate(
    lambda images, until, now, asked_at: (
        _free(images, now),
        {
            "leased_until": Case(When(_IS_GOLD, then=F("leased_until")), default=Value(until)),
            "asked_at": asked_at,
        },
    ),
    returning="image_id",
)


def _claimed(plan: Plan, *, until: datetime, now: datetime) -> list[PlannedTile]:
    """The tiles of a plan, whose open images are this grid's alone from now on.

    Spares stand in for those that another grid took since the plan was made. Gold goes to the back
    of its queue, and is never leased. Raises Clash when the spares do not suffice.
    """

    def lease(tiles: Sequence[PlannedTile]) -> set[int]:
        images = [tile.image_id for tile in tiles]
        return set(_leased.changed(images=images, until=until, now=now, asked_at=now))

    ours = lease(plan.tiles)
    if missed := [image for image in plan.gold if image not in ours]:
        # Passed over while another grid writes when it was asked, or no Gold any more.
        known = Candidate.objects.filter(_IS_GOLD, image_id__in=missed)
        ours |= set(known.values_list("image_id", flat=True))
    tiles = list(plan.tiles)
    lost = [place for place, tile in enumerate(tiles) if tile.image_id not in ours]
    spares = list(plan.spares)
    while lost:
        tried, spares = spares[: len(lost)], spares[len(lost) :]
        if len(tried) < len(lost):
            raise Clash
        free = lease(tried)
        for tile in tried:
            if tile.image_id in free:
                tiles[lost.pop()] = tile
    return tiles
