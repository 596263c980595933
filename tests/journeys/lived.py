"""A drawn project that lived for an hour: people answered grids, real Rounds trained networks."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from fixtures.shapes import draw_shapes
from labelhub.challenges.services import issue_challenge, submit_answer
from labelhub.projects.models import Gold, Project
from labelhub.rounds import services
from labelhub.rounds.holdout import top_up_holdout
from labelhub.rounds.models import ModelVersion, Round
from labelhub.rounds.progress import count_progress
from labelhub.rounds.queueing import mark_gold
from tests.factories import visitor
from tests.journeys.drawn import SEED, drawn_project
from workers.ranking import rank_shard
from workers.training import train_round

IMAGES = 1200
GRIDS = (0, 60, 120)  # answered before each Round
MORE_GOLD = 360
SLIPS = 0.03  # of the squares
APART = timedelta(minutes=17)


def lived_project(*, now: datetime) -> Project:
    """Three Rounds after one another, the last a few minutes ago. Takes ten minutes."""
    project = drawn_project(
        slug="lived",
        images=IMAGES,
        recipe="seed",
        training_steps=500,
        augmentation="outline",
        retrain_min_labels=100,
    )
    top_up_holdout(project=project, now=now)
    mark_more_gold(project, now=now - timedelta(hours=1))
    generator = Random(SEED)
    for place, grids in enumerate(GRIDS):
        then = now - APART * (len(GRIDS) - place - 1) - timedelta(minutes=4)
        answer_grids(project, grids, now=then, generator=generator)
        whole_round(project, now=then)
    answer_grids(project, 6, now=now - timedelta(minutes=2), generator=generator)
    count_progress(now=now)
    return project


def mark_more_gold(project: Project, *, now: datetime) -> None:
    """An admin says what some more of the pictures show."""
    drawn = draw_shapes(count=IMAGES, seed=SEED)
    classes = list(project.label_classes.filter(is_none=False).order_by("position"))
    chosen = project.images.filter(gold=None, example=None, holdout=False).order_by("sha256")
    mark_gold(
        project=project,
        gold={
            image.pk: classes[drawn.labels[int(image.name.removesuffix(".png"))]]
            for image in chosen[:MORE_GOLD]
        },
        source=Gold.Source.ADMIN,
        created_by_id=None,
        now=now,
    )


def answer_grids(project: Project, grids: int, *, now: datetime, generator: Random) -> None:
    """Visitors who know the shapes answer so many grids, with a slip now and then."""
    drawn = draw_shapes(count=IMAGES, seed=SEED)
    for _ in range(grids):
        annotator = visitor(project)
        challenge = issue_challenge(annotator=annotator, now=now, generator=generator)
        assert challenge.label_class is not None
        wanted = drawn.classes.index(challenge.label_class.key)
        selected = [
            tile.place
            for tile in challenge.tiles.select_related("image").order_by("place")
            if (drawn.labels[int(tile.image.name.removesuffix(".png"))] == wanted)
            != (generator.random() < SLIPS)
        ]
        submit_answer(
            annotator=annotator, public_id=challenge.public_id, selected=selected, now=now
        )


def whole_round(project: Project, *, now: datetime) -> None:
    """Open a Round and do all its work here."""
    opened = services.open_round(
        project=project, trigger=Round.Trigger.SCHEDULE, opened_by_id=None, now=now
    )
    clock: Callable[[], datetime] = lambda: now + timedelta(seconds=40)  # noqa: E731
    assert train_round(round_id=opened.pk, worker="here", clock=clock)
    for version in ModelVersion.objects.filter(round=opened, serving=True):
        for shard in version.ranking_shards.all():
            rank_shard(shard_id=shard.pk, clock=clock)


def round_in_training(project: Project, *, now: datetime) -> None:
    """A Round as it looks while its second network trains."""
    opened = services.open_round(
        project=project, trigger=Round.Trigger.SCHEDULE, opened_by_id=None, now=now
    )
    claim = services.claim_round(round_id=opened.pk, worker="here", now=now)
    assert claim is not None
    services.enter_stage(claim=claim, state=Round.State.TRAINING, now=now)
    services.report_progress(
        claim=claim,
        progress={
            "stage": "training network 2 of 3",
            "fraction": 0.47,
            "loss": 0.2184,
            "seconds_left": 21,
        },
        now=now,
    )
