"""Which labels a network was taught, as a checksum on its card: to be held against the snapshot.

It is made where the labels are handed to the training, so what changes them before is seen, however
few they are. What happens to them later the promotion gate has to tell by how the network behaves.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from classifier.checkpoint import LoadedModel
from workers.lessons import Networks, fold_networks
from workers.snapshot import Snapshot

TAUGHT = "taught"  # on a card: a checksum for each member of a network


def checksum(snapshot: Snapshot, chosen: NDArray[np.bool_]) -> str:
    """SHA-256 of the images (n,) that are chosen, their targets and weights."""
    digest = hashlib.sha256()
    for column in (snapshot.images, snapshot.targets, snapshot.weights):
        digest.update(np.ascontiguousarray(column[chosen]).data)
    return digest.hexdigest()


def mistaught(snapshot: Snapshot, networks: Networks) -> list[str]:
    """In words, the networks whose cards name other labels than the snapshot has."""
    wrong = [
        f"fold network {number + 1}"
        for number, model in enumerate(networks.folds)
        if not _as_told(snapshot, model, number)
    ]
    if not _as_told(snapshot, networks.served, None):
        wrong.append("the network to serve")
    return wrong


def _as_told(snapshot: Snapshot, model: LoadedModel, fold: int | None) -> bool:
    """Whether the card says what a network that leaves out this fold, or none, is to be taught."""
    expected = []
    for member in model.config.recipe.split("+"):
        count, chosen = fold_networks(member), snapshot.trainable
        if fold is not None:
            chosen = chosen & (snapshot.folds % count != fold % count)
        expected.append(checksum(snapshot, chosen))
    return model.card.get(TAUGHT) == expected
