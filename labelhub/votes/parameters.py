"""The annotator model in force: Parameters rows as arrays, read once per process."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import numpy as np

from labelhub.projects.models import LabelClass, Project
from labelhub.votes.aggregation import mixed_prior
from labelhub.votes.arrays import Floats
from labelhub.votes.crowd import Crowd, Skills
from labelhub.votes.models import Parameters
from labelhub.votes.questions import Costs


@dataclass(frozen=True)
class AnnotatorModel:
    """One version of the Parameters, ready for arithmetic. Rows never change, so it can be kept."""

    id: int
    version: int
    label_classes: tuple[int, ...]  # LabelClass ids in the order of every vector
    crowd: Crowd  # over the K classes
    prior_mix: float
    costs: Costs

    @property
    def classes(self) -> int:
        return len(self.label_classes)

    def index(self, label_class_id: int) -> int:
        """Place of a class in every vector. Raises ValueError for a class it does not know."""
        return self.label_classes.index(label_class_id)

    def priors(self, stored: Sequence[bytes]) -> Floats:
        """(n, K) the priors that n Consensus rows hold; uniform where one holds none."""
        none = np.full(self.classes, 1 / self.classes, dtype="<f4").tobytes()
        joined = b"".join(prior or none for prior in stored)
        rows = np.frombuffer(joined, dtype="<f4").reshape(len(stored), -1).astype(np.float64)
        shares: Floats = rows / rows.sum(axis=1, keepdims=True)
        return mixed_prior(shares, self.prior_mix)


@lru_cache(maxsize=16)
def annotator_model(parameters_id: int, _fitted_at: datetime) -> AnnotatorModel:
    """The model of a Parameters row; the time it was fitted tells rows of two databases apart."""
    return _as_model(Parameters.objects.get(pk=parameters_id))


def _as_model(row: Parameters) -> AnnotatorModel:
    return AnnotatorModel(
        id=row.pk,
        version=row.version,
        label_classes=tuple(row.label_classes),
        crowd=Crowd(
            select_rates=np.array(row.select_rates),
            choice_rates=np.array(row.choice_rates),
            skills=Skills.from_bytes(bytes(row.skills)),
        ),
        prior_mix=row.prior_mix,
        costs=Costs(tile=row.tile_seconds, choice=row.choice_seconds),
    )


def latest_model(*, project: Project) -> AnnotatorModel | None:
    """The model in force, or None in a project that has not begun."""
    row = Parameters.objects.filter(project=project).order_by("-version").first()
    return _as_model(row) if row else None


def latest_costs(*, project: Project) -> Costs:
    """What people's time costs by the model in force; the usual in a project that has not begun."""
    rows = Parameters.objects.filter(project=project).order_by("-version")
    seconds = rows.values_list("tile_seconds", "choice_seconds").first()
    return Costs(*seconds) if seconds else Costs()


def first_parameters(*, project: Project, now: datetime) -> AnnotatorModel:
    """The model in force; a project without one gets what an average crowd does."""
    if model := latest_model(project=project):
        return model
    classes = list(
        LabelClass.objects.filter(project=project).order_by("position").values_list("pk", flat=True)
    )
    unmeasured = Crowd.unmeasured(len(classes))
    row, _ = Parameters.objects.get_or_create(
        project=project,
        version=1,
        defaults={
            "label_classes": classes,
            "select_rates": unmeasured.select_rates.tolist(),
            "choice_rates": unmeasured.choice_rates.tolist(),
            "fitted_at": now,
        },
    )
    return _as_model(row)


def new_parameters(
    *, project: Project, crowd: Crowd, now: datetime, costs: Costs | None = None
) -> AnnotatorModel:
    """Write a fitted version after the one in force, over the same classes; without ``costs``,
    people take as long as before."""
    latest = first_parameters(project=project, now=now)
    row = Parameters.objects.create(
        project=project,
        version=latest.version + 1,
        label_classes=list(latest.label_classes),
        select_rates=crowd.select_rates.tolist(),
        choice_rates=crowd.choice_rates.tolist(),
        skills=crowd.skills.to_bytes(),
        tile_seconds=(costs or latest.costs).tile,
        choice_seconds=(costs or latest.costs).choice,
        fitted_at=now,
    )
    return _as_model(row)
