"""What a ModelVersion's networks say of images, a part at a time: no row is written here.

While the words on one part are put into order and written, the networks speak of the next ones.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace

import numpy as np
from django.db.models import Q
from numpy.typing import NDArray
from torch import nn

from classifier.batches import disagreement
from classifier.predict import Seen, answers, probabilities
from classifier.together import in_one_reading
from classifier.uncertainty import entropy
from labelhub.projects.models import Gold, Image, Project
from labelhub.rounds.acquisition import Acquisition
from labelhub.rounds.models import ModelVersion
from labelhub.votes.models import Vote
from workers.datasets import Pictures
from workers.networks import load_network

PART_IMAGES = 1024
FEW = 4  # times as many ids as images in a span, and more: they are named one by one
ROUNDING = 1e-3  # that a row of single precision may miss the sum of one by


class BadPrediction(ValueError):
    """A network said what are no probabilities; the message names its file."""


@dataclass(frozen=True)
class Ranked:
    """n images as one ModelVersion sees them; K classes."""

    images: NDArray[np.int64]  # (n,)
    served: NDArray[np.float32]  # (n, K) of the network that serves
    priors: NDArray[np.float32]  # (n, K) of networks that did not train on the image
    entropies: NDArray[np.float64]  # (n,) of the priors, in nats
    disagreements: NDArray[np.float64]  # (n,) nats, where the project asks by them; else nothing

    @classmethod
    def joined(cls, parts: Sequence["Ranked"]) -> "Ranked":
        """All images of some parts, at least one."""
        columns = (field.name for field in fields(cls))
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in columns))


def predict(*, version: ModelVersion, pictures: Pictures, images: NDArray[np.int64]) -> Ranked:
    """The ``predictions`` of images (n,), n at least 1, as one. Raises BadPrediction."""
    parts = (
        replace(pictures, ids=images[start : start + PART_IMAGES])
        for start in range(0, len(images), PART_IMAGES)
    )
    return Ranked.joined(list(predictions(version=version, parts=parts)))


def predictions(*, version: ModelVersion, parts: Iterable[Pictures]) -> Iterator[Ranked]:
    """The served network's softmax, and a prior from networks that did not train on the image: the
    served one's where nobody has said anything yet, else its own fold's, and the average of all
    for the holdout.

    Part by part of the images whose pictures come, in their order; the next are fetched while the
    networks are busy. A part without images gives nothing. Raises BadPrediction.
    """
    panel = _Panel(version)
    asked: deque[_Question] = deque()

    def jobs() -> Iterator[tuple[nn.Module, Seen]]:
        for pictures in parts:
            for question in panel.questions(pictures):
                asked.append(question)
                yield question.network, question.seen

    with closing(answers(jobs())) as said:
        for answer in said:
            question = asked.popleft()
            if question.is_first:
                members = panel.silence(len(question.part.images))
            members[question.members, question.places] = panel.heard(question, answer)
            if question.is_last:
                yield panel.ranked(question.part, members)


@dataclass(frozen=True)
class About:
    """What decides which networks may speak of n images."""

    images: NDArray[np.int64]  # (n,)
    holdout: NDArray[np.bool_]  # (n,)
    heard: NDArray[np.bool_]  # (n,) Gold, or anything ever said of it, also what was taken back
    folds: NDArray[np.int64]  # (n,) of those that were heard; else 0


def about(*, project: Project, images: NDArray[np.int64]) -> About:
    """Of images (n,) of the project, n at least 1, which may be few that lie far apart.

    Most of a big pool were never heard nor held out: rows are read of the others alone.
    """
    first, last = int(images.min()), int(images.max())
    in_line = last - first < FEW * len(images)
    within = ("range", (first, last)) if in_line else ("in", images.tolist())
    own = Image.objects.filter(_those("pk", within), project=project)
    marked = own.filter(Q(holdout=True) | Q(was_gold=True))
    marks = np.array(list(marked.values_list("pk", "holdout", "was_gold")), np.int64).reshape(-1, 3)
    heard = [marks[marks[:, 2] > 0, 0]]
    for rows in (Vote.objects, Gold.objects):
        said = rows.filter(_those("image__pk", within)).values_list("image_id", flat=True)
        heard.append(np.fromiter(said.distinct(), dtype=np.int64))
    is_heard = np.isin(images, np.concatenate(heard))
    folds = np.zeros(len(images), dtype=np.int64)
    if is_heard.any():
        by_image = dict(own.filter(pk__in=images[is_heard].tolist()).values_list("pk", "fold"))
        folds[is_heard] = [by_image[image] for image in images[is_heard].tolist()]
    return About(images, np.isin(images, marks[marks[:, 1] > 0, 0]), is_heard, folds)


def _those(column: str, within: tuple[str, object]) -> Q:
    lookup, values = within
    return Q((f"{column}__{lookup}", values))


@dataclass(frozen=True)
class _Question:
    """A network, or several of one reading, and the images of a part that it is asked about."""

    network: nn.Module
    members: slice  # whose words the answer holds: the served network is the first, folds follow
    seen: Seen  # (r,)
    places: NDArray[np.intp]  # (r,) within the part
    part: About
    is_first: bool  # of its part
    is_last: bool


class _Panel:
    """The networks of a version, before which pictures are brought."""

    def __init__(self, version: ModelVersion) -> None:
        self._version = version
        self._files = [version.sha256, *version.fold_sha256]
        networks = [load_network(project=version.project, sha256=one) for one in self._files]
        self._networks = networks
        self._together = in_one_reading(*networks)

    def silence(self, images: int) -> NDArray[np.float32]:
        """(m, images, K) for the words of all m networks: zero where one is not asked."""
        return np.zeros((len(self._files), images, len(self._version.label_classes)), np.float32)

    def questions(self, pictures: Pictures) -> list[_Question]:
        """Whom to ask about which of a part's images."""
        if not len(pictures.ids):
            return []
        part = about(project=self._version.project, images=pictures.ids)
        asked = [
            (network, members, np.flatnonzero(chosen))
            for network, members, chosen in self._speakers(part)
        ]
        asked = [one for one in asked if len(one[2])]
        return [
            _Question(
                network=network,
                members=members,
                seen=pictures.seen_by(self._together or network, part.images[places]),
                places=places,
                part=part,
                is_first=number == 0,
                is_last=number == len(asked) - 1,
            )
            for number, (network, members, places) in enumerate(asked)
        ]

    def _speakers(self, part: About) -> list[tuple[nn.Module, slice, NDArray[np.bool_]]]:
        """The networks, whose words each gives, and about which images (n,) it is asked.

        The served one about each; a fold's about its own that were heard, and about those where all
        count. Networks of one reading are asked at once, or the served one alone.
        """
        of_all = part.holdout | (self._version.project.acquisition == Acquisition.DISAGREEMENT)
        served, *folds = self._networks
        first = slice(0, 1)
        if self._together is not None:
            more = of_all | part.heard
            everybody = slice(0, len(self._networks))
            return [(served, first, ~more), (self._together, everybody, more)]
        own = self._folds(part)
        return [(served, first, np.ones(len(part.images), dtype=bool))] + [
            (network, slice(1 + fold, 2 + fold), of_all | (part.heard & (own == fold)))
            for fold, network in enumerate(folds)
        ]

    def _folds(self, part: About) -> NDArray[np.int64]:
        """(n,) the fold network that did not train on each image."""
        return np.asarray(part.folds % max(1, len(self._files) - 1))

    def heard(self, question: _Question, said: NDArray[np.float32]) -> NDArray[np.float32]:
        """The answer (r, members · K) as probabilities (members, r, K), calibrated. Raises
        BadPrediction."""
        by_member = said.reshape(len(said), -1, len(self._version.label_classes)).swapaxes(0, 1)
        files = self._files[question.members]
        return np.stack([self._softmax(*one) for one in zip(files, by_member, strict=True)])

    def _softmax(self, sha256: str, said: NDArray[np.float32]) -> NDArray[np.float32]:
        if not np.isfinite(said).all():
            raise BadPrediction(f"network {sha256} says NaN or infinity of an image")
        p = probabilities(said, self._version.temperature)
        off = np.abs(p.sum(axis=1) - 1).max(initial=0.0)
        if not (off <= ROUNDING and p.min(initial=0.0) >= 0):  # NaN is not less than anything
            raise BadPrediction(f"network {sha256} says what are no probabilities of an image")
        return p

    def ranked(self, part: About, members: NDArray[np.float32]) -> Ranked:
        """What m networks (m, n, K) make of a part."""
        served = members[0]
        own = members[1 + self._folds(part), np.arange(len(served))] if len(members) > 1 else served
        priors = np.where(part.heard[:, None], own, served)
        priors[part.holdout] = members[:, part.holdout].mean(axis=0)
        disagreements = np.zeros(len(served))
        if self._version.project.acquisition == Acquisition.DISAGREEMENT:
            disagreements = disagreement(members)
        return Ranked(part.images, served, priors, entropy(priors), disagreements)
