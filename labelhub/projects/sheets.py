"""One picture of a whole grid: a single request, and no address of any tile to learn from."""

import io
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from PIL import Image as Pillow

from labelhub.projects.pictures import (
    GROUND,
    PictureMissing,
    content_type,
    open_tile,
    read_full,
    read_tile,
)
from labelhub.projects.png import STORED, write_png

KEPT_TILES = 256  # decoded: at most 256 × 160 × 160 × 3 bytes = 20 MB a process
SHEET_JPEG: dict[str, Any] = {"format": "JPEG", "quality": 88, "subsampling": 0}
LOSSLESS_EDGE = 32  # of a tile; larger ones lose nothing that shows, and would be many bytes
LEAST_EDGE = 28  # a browser blends half a pixel with the neighbour's: of less, grid.css shows it
BLOCK = 8  # pixels that a JPEG holds together: none of them is of two tiles


def sheet(sha256s: Sequence[str], *, columns: int) -> tuple[bytes, str]:
    """The tiles side by side in rows of ``columns``, and the media type.

    All tiles are brought to about the edge of the largest; one picture alone comes at its full
    size. Raises PictureMissing, and OSError where a file of several is damaged.
    """
    if len(sha256s) == 1:
        data = _large(sha256s[0])
        return data, content_type(data)
    tiles = [_tile(sha256) for sha256 in sha256s]
    edge = _edge(max(tile.width for tile in tiles))
    rows = -(-len(tiles) // columns)
    canvas = Pillow.new("RGB", (columns * edge, rows * edge), GROUND)
    for place, tile in enumerate(tiles):
        fitting = tile if tile.width == edge else tile.resize((edge, edge), _smooth(tile, edge))
        canvas.paste(fitting, (place % columns * edge, place // columns * edge))
    if edge <= LOSSLESS_EDGE:
        return write_png(canvas, STORED), "image/png"
    buffer = io.BytesIO()
    canvas.save(buffer, **SHEET_JPEG)
    return buffer.getvalue(), "image/jpeg"


def _edge(largest: int) -> int:
    """Of every tile of a sheet whose largest tile is so wide."""
    if largest < LEAST_EDGE:
        return LOSSLESS_EDGE
    return largest if largest <= LOSSLESS_EDGE else -(-largest // BLOCK) * BLOCK


def _large(sha256: str) -> bytes:
    """The picture at its full size; where that file is lost, the small one is better than none."""
    try:
        return read_full(sha256)
    except PictureMissing:
        return read_tile(sha256)


def _smooth(tile: Pillow.Image, edge: int) -> Pillow.Resampling:
    """Whole multiples keep the pixels of small pictures crisp."""
    return Pillow.Resampling.NEAREST if edge % tile.width == 0 else Pillow.Resampling.BICUBIC


@lru_cache(maxsize=KEPT_TILES)
def _tile(sha256: str) -> Pillow.Image:
    return open_tile(sha256)
