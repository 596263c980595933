"""Which fold a new image belongs to, for life. Plain arithmetic.

Pictures that look alike share one, so that no network that learned from one of them gives the prior
of another. Nobody keeps groups: a picture is held against those that came shortly before it, for
that is where a burst or a copy lies, and the cost of an import is the same for any project.
"""

from collections.abc import Sequence

import numpy as np

from labelhub.projects.likeness import ALIKE, as_bits
from labelhub.projects.models import FOLDS

RECENT = 4_000  # images that a new one is held against
CROWDED = 2 / FOLDS  # of these: a fold with more takes no picture in for its look
FEW = 3  # images are no crowd


def fold_of(sha256: str) -> int:
    """The fold of a picture that is like no other: its content hash mod k."""
    return int(sha256[-8:], 16) % FOLDS


def folds_of(
    pictures: Sequence[tuple[str, int | None]], *, earlier: Sequence[tuple[int | None, int]]
) -> list[int]:
    """The folds of n new pictures: that of the one before it that it is most like, else its own.

    ``pictures`` are content hashes and fingerprints, ``earlier`` fingerprints and folds of images
    that are there. Where everything looks alike, as to a camera that never moves, folds stay
    filled: a crowded one takes in only what is its own by the hash. That holds from the first image
    on, or the only Gold of a class would lie in one fold, and nothing would teach it to that one.
    """
    known = [(look, fold) for look, fold in earlier if look is not None]
    room = len(known) + len(pictures)
    looks, folds = np.empty(room, dtype=np.uint64), np.empty(room, dtype=np.int64)
    looks[: len(known)] = [as_bits(look) for look, _ in known]
    folds[: len(known)] = [fold for _, fold in known]
    held = np.bincount([fold for _, fold in earlier], minlength=FOLDS)
    count, found = len(known), []
    for sha256, look in pictures:
        fold = fold_of(sha256)
        if look is not None:
            here = as_bits(look)
            apart = np.bitwise_count(looks[:count] ^ here)
            if count and apart.min() <= ALIKE:
                like = int(folds[apart.argmin()])
                fold = fold if held[like] >= max(FEW, CROWDED * held.sum()) else like
            looks[count], folds[count], count = here, fold, count + 1
        held[fold] += 1
        found.append(fold)
    return found
