"""Labels and pictures that hardly teach anything: each Round ends, with a reason in words."""

from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from classifier.config import TrainConfig
from classifier.model import RECIPES
from labelhub.projects.models import Gold, Project
from labelhub.rounds.models import ModelVersion, Prediction, Round
from labelhub.rounds.queueing import mark_gold
from tests.factories import NOON
from tests.pictured import striped_project
from tests.workers.test_round import run
from workers import datasets

pytestmark = pytest.mark.django_db(transaction=True)


def gold_of(project: Project, **counts: int) -> None:
    """So many pictures of each class are Gold."""
    classes = {row.key: row for row in project.label_classes.all()}
    for key, count in counts.items():
        images = project.images.filter(name__startswith=key).order_by("pk")[:count]
        gold = dict.fromkeys(images.values_list("pk", flat=True), classes[key])
        mark_gold(
            project=project, gold=gold, source=Gold.Source.ADMIN, created_by_id=None, now=NOON
        )


@pytest.mark.parametrize("plain", [1, 0])
@pytest.mark.parametrize("recipe", ["seed", "features"])
def test_a_class_with_one_example_or_none_does_not_stop_a_round(recipe: str, plain: int) -> None:
    project = striped_project(gold_per_class=0, recipe=recipe)
    gold_of(project, across=16, down=16, plain=plain)
    done = run(project)
    assert done.outcome == Round.Outcome.PROMOTED, done.reason
    version = ModelVersion.objects.get(serving=True)
    place = version.label_classes.index(project.label_classes.get(key="plain").pk)
    assert version.metrics["per_class"][str(place)]["support"] == plain
    assert Prediction.objects.filter(model_version=version).count() == 90


@pytest.mark.parametrize("recipe", ["seed", "features"])
def test_pictures_that_are_all_the_same_teach_nothing_and_the_round_says_so(
    monkeypatch, recipe: str
) -> None:
    project = striped_project(recipe=recipe, gold_per_class=10)
    real = datasets.full_pixels

    def grey(sha256: str, size: tuple[int, int]) -> np.ndarray:
        return np.full_like(real(sha256, size), 128)

    monkeypatch.setattr(datasets, "full_pixels", grey)
    refused = run(project)
    assert (refused.state, refused.outcome) == (Round.State.DONE, Round.Outcome.REFUSED)
    assert "hardly better than guessing" in refused.reason
    assert not ModelVersion.objects.filter(serving=True).exists()


def test_a_loss_that_is_no_number_ends_the_round_with_the_reason(monkeypatch) -> None:
    def broken(config: TrainConfig) -> nn.Module:
        network = seed.build(config)
        nn.init.constant_(network.get_parameter("stages.logits.bias"), float("nan"))
        return network

    seed = RECIPES["seed"]
    monkeypatch.setitem(RECIPES, "seed", replace(seed, build=broken))
    failed = run(striped_project())
    assert failed.state == Round.State.FAILED
    assert "nan at step 1" in failed.reason
    assert not ModelVersion.objects.exists()
