"""Scores of a ranking, for the acquisitions that look at more than one belief."""

import numpy as np
from numpy.typing import NDArray

from classifier.batches import diverse_batch
from classifier.ensemble import members_of
from classifier.uncertainty import entropy
from labelhub.projects.models import Project
from labelhub.rounds.acquisition import Acquisition
from labelhub.rounds.models import Candidate, ModelVersion
from labelhub.rounds.queueing import CONTESTED
from labelhub.votes.aggregation import evidence, weighed
from labelhub.votes.arrays import stored
from labelhub.votes.consensus import votes_of
from labelhub.votes.parameters import latest_model
from workers.datasets import Pictures, pictures_for
from workers.networks import load_network
from workers.predicting import Ranked

LEAST_BATCH, BATCH_SHARE, CANDIDATES_A_PLACE = 50, 0.05, 10  # of a shard, asked before the next
READ_IMAGES = 500  # whose votes are read at once


def scores_of(version: ModelVersion, ranked: Ranked) -> NDArray[np.float64]:
    """(n,) for the acquisitions that look at more than one belief; else nothing."""
    if version.project.acquisition == Acquisition.DIVERSE:
        pictures = pictures_for(version=version, images=ranked.images)
        return _places_in_batch(version, pictures, ranked.images, ranked.priors)
    return ranked.disagreements


def _places_in_batch(
    version: ModelVersion,
    pictures: Pictures,
    images: NDArray[np.int64],
    priors: NDArray[np.float32],
) -> NDArray[np.float64]:
    """(n,) 1 for the first of a diverse batch, less for each after it, 0 for all that are not in.

    Worth most is what votes and network together are least sure of, of what is still to be asked:
    Gold, what is settled, contested or in no queue would only take the places of others.
    """
    scores = np.zeros(len(images))
    waiting = Candidate.objects.filter(project=version.project, queue=Candidate.Queue.OPEN)
    span = {"image_id__gte": int(images.min()), "image_id__lte": int(images.max())}
    asked = waiting.filter(settled=False, priority__gt=CONTESTED, **span)
    ids = np.fromiter(asked.values_list("image_id", flat=True), dtype=np.int64)
    still = np.flatnonzero(np.isin(images, ids))
    if not len(still):
        return scores
    batch = max(LEAST_BATCH, int(len(images) * BATCH_SHARE))
    unsure = _left_over(version.project, images[still], priors[still])
    likely = np.argsort(-unsure, kind="stable")[: CANDIDATES_A_PLACE * batch]
    network = load_network(project=version.project, sha256=version.sha256)
    first, *_ = members_of(network)
    seen = pictures.read_by(first, images[still[likely]])[:].reshape(len(likely), -1)
    picked = diverse_batch(seen, unsure[likely], batch, seed=version.number)
    scores[still[likely[picked]]] = 1 - np.arange(len(picked)) / len(picked)
    return scores


def _left_over(
    project: Project, images: NDArray[np.int64], priors: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(n,) nats of doubt that the votes so far leave of the networks' (n, K) of queued images."""
    model = latest_model(project=project)
    if model is None:  # nobody can have voted
        return entropy(priors)
    left = np.zeros(len(images))
    for start in range(0, len(images), READ_IMAGES):
        here = slice(start, start + READ_IMAGES)
        votes, _ = votes_of(images[here].tolist(), model)
        told = evidence(votes, len(images[here]), model.crowd)
        left[here] = entropy(weighed(model.priors(stored(priors[here], "<f4")), told))
    return left
