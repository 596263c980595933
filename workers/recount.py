"""Makes some labels of a snapshot again from the rows: a Round must learn what people said."""

from dataclasses import replace
from datetime import datetime

import numpy as np

from labelhub.projects.models import Gold
from labelhub.votes import aggregation
from labelhub.votes.consensus import votes_of
from labelhub.votes.models import Retraction, Vote
from labelhub.votes.parameters import AnnotatorModel
from workers.promotion import Recount
from workers.snapshot import Snapshot

MOST_IMAGES = 500  # evenly spaced


def recount(*, snapshot: Snapshot, model: AnnotatorModel, opened_at: datetime) -> Recount:
    """Count how many labels, Gold or likely by votes, differ from what the rows make now.

    ``model`` is the one the Round began with; its crowd is the snapshot's. Images of which anything
    was said or taken back since the Round was opened are left out: they may well differ.
    """
    sure = np.flatnonzero(snapshot.likely)
    if len(sure) > MOST_IMAGES:
        sure = sure[np.linspace(0, len(sure) - 1, MOST_IMAGES).astype(np.int64)]
    images = snapshot.images[sure].tolist()
    fitted = replace(model, crowd=snapshot.crowd)
    votes, _ = votes_of(images, fitted)
    uniform = np.full((len(images), model.classes), 1 / model.classes)
    labels = aggregation.posterior(uniform, votes, snapshot.crowd).argmax(axis=1)
    gold = dict(Gold.objects.filter(image__in=images).values_list("image_id", "label_class_id"))
    for place, image_id in enumerate(images):
        if image_id in gold:
            labels[place] = model.index(gold[image_id])
    told = ~np.isin(snapshot.images[sure], list(_moved(images, snapshot, opened_at)))
    told &= np.isin(snapshot.images[sure], list(gold)) == (snapshot.gold[sure] >= 0)
    differing = (labels != snapshot.labels[sure]) & told
    return Recount(images=int(told.sum()), differing=int(differing.sum()))


def _moved(images: list[int], snapshot: Snapshot, opened_at: datetime) -> set[int]:
    """Those of which the snapshot may not have heard the last word."""
    voted = Vote.objects.filter(image__in=images, pk__gt=snapshot.last_vote)
    retracted = Retraction.objects.filter(vote__image__in=images, retracted_at__gt=opened_at)
    marked = Gold.objects.filter(image__in=images, created_at__gt=opened_at)
    return {
        *voted.values_list("image_id", flat=True),
        *retracted.values_list("vote__image_id", flat=True),
        *marked.values_list("image_id", flat=True),
    }
