"""The label snapshot of a Round: what is learned, what it is measured on, frozen in one file.

Training targets are votes against a uniform prior, weighted by what they say: the network's own
opinion of an image never comes back to it as a label.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from django.db.models import Max
from numpy.typing import NDArray

from classifier.atomic import replace_file
from labelhub.projects.models import Image, Project
from labelhub.votes import aggregation
from labelhub.votes.aggregation import VoteTable
from labelhub.votes.arrays import Floats
from labelhub.votes.consensus import humans_of, votes_of
from labelhub.votes.crowd import Crowd, Skills
from labelhub.votes.fitting import fit
from labelhub.votes.models import Consensus
from labelhub.votes.parameters import AnnotatorModel
from workers.reading import last_vote, one_reading

BATCH = 2000
LEAST_WEIGHT = 0.01  # votes that say less than this are not worth a training step
LIKELY = 2 / 3  # what one yes or one choice of an average person comes to, of up to 22 classes
LIKELIER = 3  # times any other class: the same of many, any of which may be the mistake


class LabelledRow(NamedTuple):
    """What the database says of one image with Gold or votes."""

    image_id: int
    fold: int
    holdout: bool
    gold: int | None
    threshold: float
    min_humans: int
    prior: bytes


class NotEnoughToLearn(RuntimeError):
    """The labels do not suffice for a training; the message says what is missing."""


@dataclass(frozen=True)
class Snapshot:
    """n labelled images over K classes. ``gold`` is a class index, or -1."""

    images: NDArray[np.int64]  # (n,) Image ids
    targets: Floats  # (n, K) rows sum to one
    weights: Floats  # (n,) 0..1
    folds: NDArray[np.int64]  # (n,)
    holdout: NDArray[np.bool_]  # (n,)
    settled: NDArray[np.bool_]  # (n,) by votes and Gold alone
    gold: NDArray[np.int64]  # (n,)
    select_rates: Floats  # (K, K) fitted on these votes
    choice_rates: Floats  # (K, K)
    skills: NDArray[np.uint8]  # of everybody who voted, as Skills.to_bytes has them
    last_vote: int  # no vote up to this id is missing
    last_image: int  # of the project when the labels were read
    votes: int = 0  # standing ones on these images

    @property
    def crowd(self) -> Crowd:
        """The annotator model fitted on these votes."""
        skills = Skills.from_bytes(self.skills.tobytes())
        return Crowd(self.select_rates, self.choice_rates, skills)

    @property
    def trainable(self) -> NDArray[np.bool_]:
        """(n,) outside the holdout, and with something to say."""
        return np.asarray(~self.holdout & (self.weights >= LEAST_WEIGHT))

    @property
    def lessons(self) -> Floats:
        """(n, K) the targets as they are taught: squared, so that the likely class stands out.

        Most images have one vote, and a network taught the crowd's doubt about a single vote learns
        little else: on 1,800 drawn shapes with about one yes each it came to 88 to 90 % of fresh
        ones, and with squared targets to 91 to 97 %. The temperature is fitted on the plain ones.
        """
        squared = self.targets**2
        return np.asarray(squared / squared.sum(axis=1, keepdims=True))

    @property
    def labels(self) -> NDArray[np.int64]:
        """(n,) the most probable class by votes and Gold alone."""
        return np.asarray(self.targets.argmax(axis=1))

    @property
    def likely(self) -> NDArray[np.bool_]:
        """(n,) where Gold or votes alone, no network, make one class likely."""
        other, best = np.partition(self.targets, -2, axis=1)[:, -2:].T
        return np.asarray((best >= LIKELY) | (best >= LIKELIER * other))

    def only(self, images: NDArray[np.int64]) -> "Snapshot":
        """The same without images that are not among these: their pictures could not be read."""
        kept = np.isin(self.images, images)
        rows = ("images", "targets", "weights", "folds", "holdout", "settled", "gold")
        return replace(self, **{name: getattr(self, name)[kept] for name in rows})

    def without(self, held_out: Collection[int]) -> "Snapshot":
        """The same with these images held out, which were not yet when the labels were read."""
        late = np.isin(self.images, np.fromiter(held_out, dtype=np.int64))
        return replace(self, holdout=self.holdout | late)

    def counts(self) -> dict[str, int]:
        """What a page says about the snapshot."""
        return {
            "images": len(self.images),
            "trainable": int(self.trainable.sum()),
            "gold": int((self.gold >= 0).sum()),
            "holdout_settled": int((self.holdout & self.settled).sum()),
            "votes": self.votes,
        }

    def check(self, *, networks: int) -> None:
        """Raises NotEnoughToLearn when one of so many fold networks has nothing to tell apart."""
        groups = self.folds % networks
        for fold in np.unique(groups):
            others = self.trainable & (groups != fold)
            if len(np.unique(self.labels[others])) < 2:
                raise NotEnoughToLearn(
                    "without one fold of the pictures the labels know fewer than two classes; "
                    "mark more Gold or collect more votes"
                )

    def save(self, path: Path) -> str:
        """Write the snapshot atomically; gives the SHA-256 of the file."""
        buffer = BytesIO()
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in vars(self).items()}
        np.savez(buffer, **arrays)
        data = buffer.getvalue()
        replace_file(path, data)
        return hashlib.sha256(data).hexdigest()

    @classmethod
    def load(cls, path: Path, *, expected_sha256: str) -> "Snapshot":
        """Read a snapshot back. Raises OSError when it is not there, ValueError when it is not the
        expected one."""
        data = path.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 != expected_sha256:
            raise ValueError(f"{path}: its SHA-256 is {sha256}, expected {expected_sha256}")
        with np.load(BytesIO(data), allow_pickle=False) as arrays:
            found: dict[str, Any] = {name: arrays[name] for name in arrays.files}
        if found.keys() != {field.name for field in fields(cls)}:
            raise ValueError(f"{path} was written by another version of this program")
        for name in ("last_vote", "last_image", "votes"):
            found[name] = int(found[name])
        return cls(**found)


def take_snapshot(*, project: Project, model: AnnotatorModel) -> Snapshot:
    """Read the labels of a project as they are now; refits the annotator model on them.

    Labels and votes are of one moment, and every vote up to ``last_vote`` is there: later ones may
    be in it too, and count as news all the same.
    """
    last = last_vote(project=project)
    with one_reading():
        images = Image.objects.filter(project=project).aggregate(last=Max("id"))
        rows = _labelled(project)
        if not rows:
            raise NotEnoughToLearn("no image has Gold or a vote yet")
        votes = _votes(rows, model)
    crowd = _refitted(rows, votes, model)
    fitted = replace(model, crowd=crowd)
    return Snapshot(
        **_columns(rows, votes, fitted),
        select_rates=crowd.select_rates,
        choice_rates=crowd.choice_rates,
        skills=np.frombuffer(crowd.skills.to_bytes(), dtype=np.uint8),
        last_vote=last,
        last_image=images["last"],
        votes=len(votes.image),
    )


def _labelled(project: Project) -> list[LabelledRow]:
    """Images with Gold or votes."""
    found = (
        Consensus.objects.filter(project=project, image__status=Image.Status.ACTIVE)
        .exclude(humans=0, image__gold__isnull=True)
        .order_by("image_id")
        .values_list(
            "image_id",
            "image__fold",
            "image__holdout",
            "image__gold__label_class_id",
            "project__settle_threshold",
            "project__min_humans",
            "prior",
        )
    )
    return [LabelledRow(*row[:-1], bytes(row[-1])) for row in found]


def _votes(rows: list[LabelledRow], model: AnnotatorModel) -> VoteTable:
    """The standing votes on these images; ``image`` counts within ``rows``."""
    tables = []
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        table, _ = votes_of([row.image_id for row in part], model)
        tables.append(replace(table, image=table.image + start))
    names = [field.name for field in fields(VoteTable)]
    return VoteTable(*(np.concatenate([getattr(t, name) for t in tables]) for name in names))


def _refitted(rows: list[LabelledRow], votes: VoteTable, model: AnnotatorModel) -> Crowd:
    """The annotator model of the votes as they stand, by Gold and by the network's opinion of the
    images: it did not train on them, so it does not say again what these votes said to it."""
    prior = model.priors([row.prior for row in rows])
    gold = _gold(rows, model)
    known = gold >= 0
    prior[known] = np.eye(model.classes)[gold[known]]
    return fit(prior, votes, model.crowd).crowd


def _gold(rows: list[LabelledRow], model: AnnotatorModel) -> NDArray[np.int64]:
    """(n,) class index, or -1."""
    return np.array([-1 if row.gold is None else model.index(row.gold) for row in rows])


def _columns(
    rows: list[LabelledRow], votes: VoteTable, model: AnnotatorModel
) -> dict[str, NDArray[Any]]:
    """The columns of a Snapshot that have one entry an image."""
    uniform = np.full((len(rows), model.classes), 1 / model.classes)
    targets = aggregation.posterior(uniform, votes, model.crowd)
    gold = _gold(rows, model)
    known = gold >= 0
    targets[known] = np.eye(model.classes)[gold[known]]
    confident = targets.max(axis=1) >= np.array([row.threshold for row in rows])
    humans = humans_of(votes, len(rows), model)
    enough = humans >= np.array([row.min_humans for row in rows])
    return {
        "images": np.array([row.image_id for row in rows], dtype=np.int64),
        "targets": targets,
        "weights": aggregation.information_of_votes(targets),
        "folds": np.array([row.fold for row in rows], dtype=np.int64),
        "holdout": np.array([row.holdout for row in rows], dtype=bool),
        "settled": known | (confident & enough),
        "gold": gold,
    }
