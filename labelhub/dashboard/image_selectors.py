"""Reads of pictures for admins: those in doubt, and all that is known of one."""

from dataclasses import dataclass

import numpy as np
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet

from labelhub.challenges.reporting import open_reports
from labelhub.dashboard.log import records_of
from labelhub.projects.models import Image, Project
from labelhub.rounds.models import Candidate, ModelVersion, Prediction
from labelhub.votes.models import Vote

VOTES_SHOWN = 200
LOOKED_AT = 1000  # of the most doubtful: the open ones are chosen among these, at a bounded cost


@dataclass(frozen=True)
class Doubt:
    """An image in doubt: class ids with their probabilities, the likeliest first."""

    image_id: int
    name: str
    entropy: float
    probabilities: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class KnownImage:
    """All rows about one image. ``votes`` are the first ``VOTES_SHOWN``, in their order."""

    image: Image  # with gold, example and consensus loaded
    prediction: Prediction | None  # of the serving version, loaded
    votes: tuple[Vote, ...]
    reports: tuple[str, ...]  # the reasons of those that wait for a decision
    log: tuple[LogEntry, ...]  # what admins did to it, the latest first


def images_in_doubt(
    *, project: Project, serving: ModelVersion | None, most: int
) -> tuple[Doubt, ...]:
    """The open images of most entropy: by the serving network, or before any by the consensus."""
    if serving is None:
        return _by_consensus(project, most)
    ranked = Prediction.objects.filter(model_version=serving).order_by("-entropy")
    rows = (
        Prediction.objects.filter(
            pk__in=ranked.values("pk")[:LOOKED_AT],
            image__status=Image.Status.ACTIVE,
            image__consensus__settled=False,
            image__example__isnull=True,  # nobody is asked about those
        )
        .order_by("-entropy")
        .values_list("image_id", "image__name", "entropy", "prior")[:most]
    )
    return tuple(
        Doubt(image_id, name, entropy, by_probability(serving.label_classes, bytes(prior), "<f4"))
        for image_id, name, entropy, prior in rows
    )


def _by_consensus(project: Project, most: int) -> tuple[Doubt, ...]:
    """The queue of open images is kept in this order."""
    ranked = Candidate.objects.filter(project=project, queue=Candidate.Queue.OPEN)
    rows = (
        Candidate.objects.filter(
            pk__in=ranked.order_by("-priority").values("pk")[:LOOKED_AT],
            image__status=Image.Status.ACTIVE,
            image__consensus__settled=False,
        )
        .order_by("-priority")
        .values_list(
            "image_id",
            "image__name",
            "entropy",
            "image__consensus__parameters__label_classes",
            "image__consensus__probabilities",
        )[:most]
    )
    return tuple(
        Doubt(image_id, name, entropy, by_probability(classes, bytes(probabilities), "<f8"))
        for image_id, name, entropy, classes, probabilities in rows
    )


def by_probability(
    label_classes: list[int], stored: bytes, kind: str
) -> tuple[tuple[int, float], ...]:
    """Stored probabilities ("<f4" or "<f8") with their class ids, the likeliest first."""
    values = np.frombuffer(stored, dtype=kind)
    order = values.argsort(kind="stable")[::-1]
    return tuple((label_classes[k], float(values[k])) for k in order)


def image_of(*, project: Project, image_id: int) -> Image | None:
    """An image of this project, with its gold, example and consensus."""
    return _with_all(project).filter(pk=image_id).first()


def _with_all(project: Project) -> QuerySet[Image]:
    return Image.objects.filter(project=project).select_related(
        "gold__label_class",
        "gold__created_by",
        "example__label_class",
        "consensus__parameters",
    )


def known_image(*, project: Project, image_id: int) -> KnownImage | None:
    """An image of this project with its prediction and its votes; None where it is not there."""
    image = image_of(project=project, image_id=image_id)
    if image is None:
        return None
    prediction = (
        Prediction.objects.filter(
            image=image, model_version__project=project, model_version__serving=True
        )
        .select_related("model_version")
        .first()
    )
    votes = (
        Vote.objects.filter(image=image)
        .select_related("annotator__user", "label_class", "retraction")
        .order_by("pk")[:VOTES_SHOWN]
    )
    reports = open_reports(project=project).filter(image=image).values_list("reason", flat=True)
    return KnownImage(image, prediction, tuple(votes), tuple(reports), records_of(image=image))


def picture_of(*, project_slug: str, image_id: int) -> str | None:
    """Content hash of an image of this project."""
    images = Image.objects.filter(pk=image_id, project__slug=project_slug)
    return images.values_list("sha256", flat=True).first()
