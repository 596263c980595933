"""Names for the arrays that the arithmetic of votes is written in."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def stored(values: NDArray[Any], kind: Literal["<f4", "<f8"]) -> list[bytes]:
    """Each row of (n, K) as a byte field keeps it: little-endian, of four or eight bytes each."""
    joined = values.astype(kind).tobytes()
    size = values.shape[1] * int(kind[-1])
    return [joined[start : start + size] for start in range(0, len(joined), size)]
