"""Finds label errors: settled labels that networks doubt which did not learn them.

A label is what votes alone or Gold give, never what the network had a part in: that would agree
with itself. What an admin has said of an image by eye is not doubted again.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
from django.db.models import Exists, OuterRef, QuerySet
from kombu.exceptions import OperationalError

from labelhub.projects.models import Gold, Image, Project
from labelhub.rounds import dispatch
from labelhub.rounds.models import LabelDoubts, ModelVersion, Prediction, RankingShard
from labelhub.rounds.selectors import serving_version
from labelhub.votes.aggregation import evidence, weighed
from labelhub.votes.arrays import Floats, Ints
from labelhub.votes.consensus import votes_of
from labelhub.votes.label_errors import Doubts, doubts
from labelhub.votes.parameters import AnnotatorModel, latest_model

logger = logging.getLogger(__name__)
BATCH = 2000
MOST_KEPT = 500  # of the list: more than anybody looks at before the next version
CLEARLY = 1e-6  # by how much the votes' best class must lead
CERTAIN_BY_EYE = (Gold.Source.ADMIN, Gold.Source.REVIEW)


class NoNetwork(LookupError):
    """The project has no version in service, so nobody can doubt a label."""


@dataclass(frozen=True)
class Settled:
    """n settled labels, and what networks say that were not taught them."""

    images: Ints  # (n,) ids
    labels: Ints  # (n,) places among the version's classes
    priors: Floats  # (n, K) float32

    def doubts(self) -> Doubts:
        """What the networks make of the labels."""
        return doubts(self.priors, self.labels)


class _Row(NamedTuple):
    image_id: int
    prior: bytes
    settled: int  # LabelClass id
    gold: int | None


def find_label_errors(*, project: Project, now: datetime) -> LabelDoubts:
    """Look at every settled label, and keep those that are doubted most. Raises NoNetwork.

    Memory: 4 · K bytes a label.
    """
    version = serving_version(project=project)
    if version is None:
        raise NoNetwork(f"{project.slug} has no model version in service")
    settled = settled_labels(version=version)
    found = settled.doubts()
    classes = version.label_classes
    entries = [
        [
            int(settled.images[place]),
            classes[settled.labels[place]],
            classes[found.likely[place]],
            round(float(found.doubt[place]), 4),
        ]
        for place in found.worst[:MOST_KEPT]
    ]
    row, _ = LabelDoubts.objects.update_or_create(
        project=project,
        defaults={
            "model_version": version,
            "labels": len(settled.images),
            "suspected": int(found.suspected.sum()),
            "entries": entries,
            "found_at": now,
        },
    )
    return row


def settled_labels(*, version: ModelVersion) -> Settled:
    """The labels that votes alone or Gold settle, with the version's out-of-fold softmax."""
    index = {label_class: place for place, label_class in enumerate(version.label_classes)}
    model = latest_model(project=version.project)
    images: list[int] = []
    labels: list[int] = []
    priors: list[bytes] = []
    for rows in _batches(version):
        told = _told(rows, model)
        for row in rows:
            label = told.get(row.image_id) if row.gold is None else row.gold
            if label in index and label == row.settled:
                images.append(row.image_id)
                labels.append(index[label])
                priors.append(row.prior)
    stored = np.frombuffer(b"".join(priors), dtype="<f4").reshape(len(images), len(index))
    return Settled(np.array(images, np.int64), np.array(labels, np.int64), stored)


def _batches(version: ModelVersion) -> Iterator[list[_Row]]:
    """Rows of settled images, in the order of their ids; none that somebody judged by eye."""
    rows = (
        Prediction.objects.filter(
            model_version=version,
            image__status=Image.Status.ACTIVE,
            image__example__isnull=True,
            image__consensus__settled=True,
        )
        .exclude(image__gold__source__in=CERTAIN_BY_EYE)
        .order_by("image_id")
        .values_list(
            "image_id",
            "prior",
            "image__consensus__label_class_id",
            "image__gold__label_class_id",
        )
    )
    last = 0
    while found := list(rows.filter(image_id__gt=last)[:BATCH]):
        last = found[-1][0]
        yield [_Row(row[0], bytes(row[1]), row[2], row[3]) for row in found]


def _told(rows: Sequence[_Row], model: AnnotatorModel | None) -> dict[int, int]:
    """Image id to the LabelClass id that its votes alone give, where they clearly give one."""
    voted = [row.image_id for row in rows if row.gold is None]
    if model is None or not voted:
        return {}
    votes, humans = votes_of(voted, model)
    uniform = np.full((len(voted), model.classes), 1 / model.classes)
    p = weighed(uniform, evidence(votes, len(voted), model.crowd))
    best, next_best = np.sort(p, axis=1)[:, :-3:-1].T
    return {
        image: model.label_classes[int(p[place].argmax())]
        for place, image in enumerate(voted)
        if humans[place] and best[place] - next_best[place] > CLEARLY
    }


def send_due_searches() -> int:
    """Have labels looked at anew where the version in service has ranked every image since they
    were last. Gives how many messages were sent; the next tick sees what got lost."""
    due = _versions_to_hear().values_list("project_id", flat=True)
    try:
        for project_id in due:
            dispatch.ask_now(
                dispatch.FIND_LABEL_ERRORS, seconds=dispatch.TICK_SECONDS, project_id=project_id
            )
    except (OperationalError, OSError) as error:
        logger.warning("broker unreachable, label errors are looked for later: %s", error)
        return 0
    return len(due)


def _versions_to_hear() -> QuerySet[ModelVersion]:
    """Those in service that ranked every image, and whose doubts nobody has asked for."""
    of_this = {"model_version": OuterRef("pk")}
    return ModelVersion.objects.filter(
        ~Exists(RankingShard.objects.filter(**of_this, finished_at=None)),
        ~Exists(LabelDoubts.objects.filter(**of_this)),
        Exists(Prediction.objects.filter(**of_this)),
        serving=True,
    )
