"""Projects with a past: Rounds that were promoted, refused or failed, predictions, votes."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from labelhub.projects.models import Image, Project
from labelhub.rounds.models import ModelVersion, Prediction, Round
from labelhub.votes import aggregation
from tests.factories import NOON
from tests.stored import stored_network

MEASURED = 72


def past_round(
    project: Project,
    *,
    accuracy: float,
    promoted: bool = True,
    provisional: bool = True,
    opened_at: datetime = NOON,
) -> ModelVersion:
    """A Round that is over, with the version it made; a promoted one serves."""
    row = Round.objects.create(
        project=project,
        number=project.rounds.count() + 1,
        state=Round.State.DONE,
        outcome=Round.Outcome.PROMOTED if promoted else Round.Outcome.REFUSED,
        reason=f"right on {accuracy:.1%} of {MEASURED} Gold images, cross-validated",
        opened_at=opened_at,
        finished_at=opened_at + timedelta(seconds=40),
        snapshot={"trainable": 412},
        seconds={"train": 30.0, "rank": 9.5},
        last_vote=0,
    )
    if promoted:
        project.model_versions.filter(serving=True).update(serving=False)
    return ModelVersion.objects.create(
        project=project,
        number=row.number,
        round=row,
        recipe="seed",
        label_classes=list(project.label_classes.order_by("position").values_list("pk", flat=True)),
        sha256=stored_network(project, f"of Round {row.number}"),
        metrics={
            "accuracy": accuracy,
            "images": MEASURED,
            "measured_on": "Gold images, cross-validated" if provisional else "holdout images",
        },
        provisional=provisional,
        serving=promoted,
        promoted_at=row.finished_at if promoted else None,
    )


def past_rounds(project: Project, accuracies: Sequence[float], *, start: datetime = NOON) -> None:
    """Promoted Rounds, one every ten minutes."""
    for place, accuracy in enumerate(accuracies):
        past_round(project, accuracy=accuracy, opened_at=start + timedelta(minutes=10 * place))


def running_round(project: Project, *, fraction: float = 0.4, at: datetime = NOON) -> Round:
    """A Round in its training."""
    return Round.objects.create(
        project=project,
        number=project.rounds.count() + 1,
        state=Round.State.TRAINING,
        opened_at=at,
        fence=1,
        snapshot={"trainable": 412},
        progress={
            "stage": "training network 2 of 3",
            "fraction": fraction,
            "loss": 0.4127,
            "seconds_left": 37,
        },
    )


def predict(version: ModelVersion, images: Sequence[Image], *, seed: int = 0) -> None:
    """A prediction for each image, from sure to doubtful."""
    rng = np.random.default_rng(seed)
    classes = len(version.label_classes)
    rows = []
    for place, image in enumerate(images):
        sure = rng.dirichlet(np.full(classes, 0.05 + place / len(images)))
        stored = sure.astype("<f4").tobytes()
        entropy = float(aggregation.entropy(sure[None])[0])
        rows.append(
            Prediction(
                model_version=version,
                image=image,
                probabilities=stored,
                prior=stored,
                entropy=entropy,
            )
        )
    Prediction.objects.bulk_create(rows)
