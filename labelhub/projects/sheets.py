"""One picture of a whole grid: a single request, and no address of any tile to learn from."""

import io
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from PIL import Image as Pillow

from labelhub.projects.pictures import GROUND, LOSSLESS_EDGE, read_tile

KEPT_TILES = 256  # decoded: at most 256 × 160 × 160 × 3 bytes = 20 MB a process
SHEET_JPEG: dict[str, Any] = {"format": "JPEG", "quality": 88, "subsampling": 0}
SHEET_PNG: dict[str, Any] = {"format": "PNG", "compress_level": 1}


def sheet(sha256s: Sequence[str], *, columns: int) -> tuple[bytes, str]:
    """The tiles side by side in rows of ``columns``, and the media type.

    All tiles are brought to the edge of the largest. Raises PictureMissing.
    """
    tiles = [_tile(sha256) for sha256 in sha256s]
    edge = max(tile.width for tile in tiles)
    rows = -(-len(tiles) // columns)
    canvas = Pillow.new("RGB", (columns * edge, rows * edge), GROUND)
    for place, tile in enumerate(tiles):
        fitting = tile if tile.width == edge else tile.resize((edge, edge), _smooth(tile, edge))
        canvas.paste(fitting, (place % columns * edge, place // columns * edge))
    buffer = io.BytesIO()
    lossless = edge <= LOSSLESS_EDGE
    canvas.save(buffer, **(SHEET_PNG if lossless else SHEET_JPEG))
    return buffer.getvalue(), "image/png" if lossless else "image/jpeg"


def _smooth(tile: Pillow.Image, edge: int) -> Pillow.Resampling:
    """Whole multiples keep the pixels of small pictures crisp."""
    return Pillow.Resampling.NEAREST if edge % tile.width == 0 else Pillow.Resampling.BICUBIC


@lru_cache(maxsize=KEPT_TILES)
def _tile(sha256: str) -> Pillow.Image:
    picture = Pillow.open(io.BytesIO(read_tile(sha256))).convert("RGB")
    picture.load()
    return picture
