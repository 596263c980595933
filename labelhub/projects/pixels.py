"""Stored pictures as arrays, for what reads a million of them: a ranking, a training."""

import numpy as np
from numpy.typing import NDArray

from labelhub.projects.pictures import LOSSLESS_EDGE, open_full, read_full, read_tile
from labelhub.projects.png import read_plain_pixels


def full_pixels(sha256: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The stored picture (H, W, 3), in a fraction of the time that Pillow takes.

    ``size`` is its width and height. Raises PictureMissing, and OSError where the file is damaged.
    """
    one_file = size[0] == size[1] <= LOSSLESS_EDGE  # as ``pictures.store`` keeps it
    data = read_tile(sha256) if one_file else read_full(sha256)
    plain = read_plain_pixels(data)
    return np.asarray(open_full(sha256)) if plain is None else plain
