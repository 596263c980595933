"""A version in service whose networks nobody trained: enough to rank with, and made in no time."""

from dataclasses import replace
from datetime import datetime

from classifier import checkpoint
from classifier.config import TrainConfig
from classifier.model import build
from labelhub.projects.models import Project
from labelhub.rounds.model_files import model_folder
from labelhub.rounds.models import ModelVersion, Round
from labelhub.rounds.shards import start_ranking
from tests.factories import NOON
from workers.ranking import rank_shard, shard_spans
from workers.teaching import fold_networks


def clock() -> datetime:
    return NOON


def rank(version: ModelVersion) -> None:
    """Every shard that a version has to rank, here and now."""
    for shard in version.ranking_shards.all():
        rank_shard(shard_id=shard.pk, clock=clock)


def untrained_version(project: Project) -> ModelVersion:
    """Promoted in a Round that has its ranking still to do."""
    ModelVersion.objects.filter(project=project, serving=True).update(serving=False)
    number = project.rounds.count() + 1
    row = Round.objects.create(
        project=project,
        number=number,
        state=Round.State.RANKING,
        outcome=Round.Outcome.PROMOTED,
        reason="right on all",
        opened_at=NOON,
    )
    classes = [label_class.pk for label_class in project.label_classes.order_by("position")]
    config = TrainConfig(
        classes=len(classes),
        recipe=project.recipe,
        image_size=project.image_size,
        channels=project.channels,
    )
    seeds = range(10 * number, 10 * number + fold_networks(project.recipe) + 1)
    *folds, served = (_network(project, replace(config, seed=seed)) for seed in seeds)
    version = ModelVersion.objects.create(
        project=project,
        number=number,
        round=row,
        recipe=project.recipe,
        config=config.to_dict(),
        label_classes=classes,
        sha256=served,
        fold_sha256=folds,
        serving=True,
        promoted_at=NOON,
        created_at=NOON,
    )
    start_ranking(model_version=version, shards=shard_spans(project=project), now=NOON)
    return version


def _network(project: Project, config: TrainConfig) -> str:
    """A published file of random weights; gives its hash."""
    new = model_folder(project) / "new"
    sha256 = checkpoint.save(new, build(config), config, {})
    new.rename(new.with_name(f"{sha256}.safetensors"))
    return sha256
