"""A big pool of pictures that nobody has voted on, and versions that nobody trained."""

from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from classifier import checkpoint
from classifier.config import TrainConfig
from classifier.model import build
from labelhub.annotators.services import annotator_for
from labelhub.projects.commands import progress
from labelhub.projects.folds import fold_of
from labelhub.projects.models import Image, LabelClass, Project
from labelhub.projects.pictures import clean_array, store
from labelhub.projects.services import create_project
from labelhub.rounds.holdout import top_up_holdout
from labelhub.rounds.model_files import model_folder
from labelhub.rounds.models import ModelVersion, Round
from labelhub.rounds.queueing import open_for_labelling
from labelhub.rounds.shards import start_ranking
from labelhub.votes.services import NewVote, record_votes
from workers.lessons import fold_networks
from workers.ranking import shard_spans

CLASSES = ("circle", "cross", "triangle", "square", "star")
EDGE, RECIPE = 32, "seed"
GOLD = 100
BATCH = 2000


def make_pool(*, images: int, now: datetime, seed: int = 0) -> Project:
    """The project: pictures in their folder, a little Gold, the holdout, and full queues."""
    rng = np.random.default_rng(seed)
    project = create_project(
        name="Benchmark", class_names=CLASSES, recipe=RECIPE, image_size=EDGE, asks_choices=False
    )
    classes = list(project.label_classes.filter(is_none=False))
    with progress("images made", total=images) as forward:
        for start in range(0, images, BATCH):
            drawn = _pictures(rng, min(BATCH, images - start))
            rows = Image.objects.bulk_create(
                _stored(project, picture, f"{start + number}.png")
                for number, picture in enumerate(drawn)
            )
            known = rows[: max(0, GOLD - start)]
            gold = {row.pk: classes[row.pk % len(classes)] for row in known}
            open_for_labelling(project=project, images=rows, gold=gold, now=now)
            forward(len(rows))
    top_up_holdout(project=project, now=now)
    return project


def _pictures(rng: np.random.Generator, count: int) -> NDArray[np.uint8]:
    """(count, EDGE, EDGE, 3) blocks of colour with noise: each another picture."""
    blocks = rng.integers(40, 215, (count, EDGE // 8, EDGE // 8, 3)).repeat(8, 1).repeat(8, 2)
    return np.clip(blocks + rng.normal(0, 8, blocks.shape), 0, 255).astype(np.uint8)


def _stored(project: Project, pixels: NDArray[np.uint8], name: str) -> Image:
    """The row of a picture whose file is written as an import writes it."""
    picture = clean_array(pixels, name)
    store(picture)
    return Image(
        project=project,
        sha256=picture.sha256,
        name=name,
        width=EDGE,
        height=EDGE,
        fold=fold_of(picture.sha256),
        fingerprint=int(picture.sha256[:16], 16) - 2**63,  # none looks like another
    )


def serve_untrained(*, project: Project, number: int, now: datetime) -> ModelVersion:
    """Put a version of random weights in service, its ranking still to do: a network's speed does
    not depend on what it learned."""
    classes = list(project.label_classes.order_by("position").values_list("pk", flat=True))
    config = TrainConfig(
        classes=len(classes),
        recipe=project.recipe,
        image_size=project.image_size,
        channels=project.channels,
    )
    networks = fold_networks(project.recipe) + 1
    *folds, served = (
        _published(project, replace(config, seed=number * networks + one))
        for one in range(networks)
    )
    ModelVersion.objects.filter(project=project, serving=True).update(serving=False)
    version = ModelVersion.objects.create(
        project=project,
        number=number,
        round=Round.objects.create(
            project=project,
            number=number,
            state=Round.State.RANKING,
            outcome=Round.Outcome.PROMOTED,
            opened_at=now,
        ),
        recipe=project.recipe,
        config=config.to_dict(),
        label_classes=classes,
        sha256=served,
        fold_sha256=folds,
        serving=True,
        promoted_at=now,
        created_at=now,
    )
    start_ranking(model_version=version, shards=shard_spans(project=project), now=now)
    return version


def _published(project: Project, config: TrainConfig) -> str:
    """A network's file among the project's models; gives its hash."""
    begun = model_folder(project) / "begun"
    sha256 = checkpoint.save(begun, build(config), config, {})
    begun.rename(begun.with_name(f"{sha256}.safetensors"))
    return sha256


def vote_on(*, project: Project, images: list[int], people: int, now: datetime) -> None:
    """So many people say yes or no to a class of each image, as careful ones might."""
    classes = list(LabelClass.objects.filter(project=project, is_none=False).order_by("position"))
    for person in range(people):
        annotator = annotator_for(project_slug=project.slug, key=None, user_id=None, now=now)
        for start in range(0, len(images), BATCH):
            votes = [
                NewVote(image, classes[image % len(classes)].pk, answer=(image + person) % 5 > 0)
                for image in images[start : start + BATCH]
            ]
            record_votes(project=project, annotator=annotator, votes=votes, challenge="", now=now)
