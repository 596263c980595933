"""Pictures by content: cleaned on the way in, re-encoded, stored once, read by hash.

Whatever comes in is decoded within bounds, turned upright, brought to plain RGB and written anew,
so that nothing of the original file (metadata, scripts, second images) survives. The name of a
picture is the SHA-256 of its clean pixels: the same picture in two files is one. Kept are:

- ``full`` fits 1,024 pixels: PNG up to 64 pixels, where every pixel counts, JPEG above;
- ``tile`` is a square as grids show it: padded, its edge a multiple of 16 of at most 160 pixels.
"""

import hashlib
import io
import os
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

MOST_BYTES = 20_000_000
MOST_PIXELS = 40_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
FULL_EDGE = 1024
LOSSLESS_EDGE = 64
TILE_EDGE, TILE_STEP = 160, 16
GROUND = (127, 127, 127)  # behind transparent pixels and around pictures that are not square
JPEG: dict[str, Any] = {"format": "JPEG", "quality": 90, "subsampling": 0}
PNG: dict[str, Any] = {"format": "PNG", "compress_level": 1}


class PictureRejected(ValueError):
    """A file that cannot become a picture; the message names it and says why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name, self.reason = name, reason


class PictureMissing(FileNotFoundError):
    """A stored picture is gone from the folder."""


@dataclass(frozen=True)
class CleanPicture:
    """Upright RGB pixels, ready to be stored under ``sha256``."""

    name: str
    sha256: str
    pixels: Pillow.Image

    @property
    def width(self) -> int:
        return self.pixels.width

    @property
    def height(self) -> int:
        return self.pixels.height


def clean(data: bytes, name: str) -> CleanPicture:
    """Decode a file within bounds. Raises PictureRejected."""
    if not data:
        raise PictureRejected(name, "the file is empty")
    if len(data) > MOST_BYTES:
        raise PictureRejected(
            name, f"{len(data) / 1e6:.1f} MB; at most {MOST_BYTES / 1e6:.0f} MB are taken"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow warns about is checked below
            with Pillow.open(io.BytesIO(data), formats=FORMATS) as opened:
                _refuse_oversized(opened, name)
                return _named(_plain(opened), name)
    except Pillow.DecompressionBombError:
        raise PictureRejected(name, f"too large; {_most_pixels()} are taken") from None
    except UnidentifiedImageError:
        raise PictureRejected(name, f"not a picture ({', '.join(FORMATS)} are)") from None
    except PictureRejected:
        raise
    except Exception as error:  # decoders fail in many ways, all of them the file's fault
        raise PictureRejected(name, f"damaged or cut short ({_words(error)})") from error


def clean_array(pixels: NDArray[np.uint8], name: str) -> CleanPicture:
    """A picture from (H, W), (H, W, 1) or (H, W, 3) uint8. Raises PictureRejected."""
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise PictureRejected(name, f"pixels are {pixels.dtype} of shape {pixels.shape}")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim == 3 and pixels.shape[2] != 3:
        raise PictureRejected(name, f"{pixels.shape[2]} channels; 1 or 3 are taken")
    picture = Pillow.fromarray(np.ascontiguousarray(pixels))
    _refuse_oversized(picture, name)
    return _named(picture.convert("RGB"), name)


def _refuse_oversized(picture: Pillow.Image, name: str) -> None:
    if picture.width * picture.height > MOST_PIXELS:
        raise PictureRejected(
            name,
            f"{picture.width} × {picture.height}; {_most_pixels()} are taken",
        )
    frames = getattr(picture, "n_frames", 1)
    if frames > 1:
        raise PictureRejected(name, f"{frames} frames; give one picture in a file")


def _most_pixels() -> str:
    return f"at most {MOST_PIXELS / 1e6:.0f} million pixels"


def _plain(opened: Pillow.Image) -> Pillow.Image:
    """Upright RGB, transparent pixels on neutral ground, without metadata."""
    picture = ImageOps.exif_transpose(opened)
    if picture.mode.startswith(("I", "F")):  # 16 bits and more: scaled to what is there
        values = np.asarray(picture, dtype=np.float64)
        low, high = float(values.min()), float(values.max())
        top = 65535.0 if 255 < high <= 65535 and low >= 0 else max(high, 255.0)
        picture = Pillow.fromarray((np.clip(values, 0, top) * (255 / top)).astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Pillow.new("RGBA", picture.size, (*GROUND, 255))
        picture = Pillow.alpha_composite(ground, picture)
    return picture.convert("RGB")


def _named(picture: Pillow.Image, name: str) -> CleanPicture:
    """Name a picture by its pixels as they will be kept."""
    if max(picture.size) > FULL_EDGE:
        picture.thumbnail((FULL_EDGE, FULL_EDGE), Pillow.Resampling.LANCZOS)
    digest = hashlib.sha256(f"{picture.width}x{picture.height} RGB ".encode())
    digest.update(picture.tobytes())
    return CleanPicture(name=name, sha256=digest.hexdigest(), pixels=picture)


def _words(error: Exception) -> str:
    return str(error).split("\n", 1)[0] or type(error).__name__


def store(picture: CleanPicture) -> None:
    """Write both variants unless they are there. Atomic by rename; ``sync`` makes a batch durable.

    Raises OSError (disk full).
    """
    if not _path(picture.sha256, "full").exists():
        _write(_path(picture.sha256, "full"), _encoded(picture.pixels))
    if not _path(picture.sha256, "tile").exists():
        _write(_path(picture.sha256, "tile"), _encoded(squared(picture.pixels)))


def sync() -> None:
    """Make all pictures stored so far durable: once a batch, before the rows that name them."""
    os.sync()


def squared(picture: Pillow.Image) -> Pillow.Image:
    """The whole picture in the middle of a neutral square, no larger than TILE_EDGE."""
    edge = min(TILE_EDGE, -(-max(picture.size) // TILE_STEP) * TILE_STEP)
    if max(picture.size) > edge:
        picture = ImageOps.contain(picture, (edge, edge), Pillow.Resampling.LANCZOS)
    if picture.size == (edge, edge):
        return picture
    square = Pillow.new("RGB", (edge, edge), GROUND)
    square.paste(picture, ((edge - picture.width) // 2, (edge - picture.height) // 2))
    return square


def _encoded(picture: Pillow.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, **(PNG if max(picture.size) <= LOSSLESS_EDGE else JPEG))
    return buffer.getvalue()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _path(sha256: str, variant: str) -> Path:
    return Path(settings.DATA_DIR) / "pictures" / sha256[:2] / f"{sha256}.{variant}"


def read_full(sha256: str) -> bytes:
    """The stored picture at its full size. Raises PictureMissing."""
    return _read(sha256, "full")


def read_tile(sha256: str) -> bytes:
    """The stored picture as the square that grids show. Raises PictureMissing."""
    return _read(sha256, "tile")


def open_full(sha256: str) -> Pillow.Image:
    """The decoded picture. Raises PictureMissing."""
    return Pillow.open(io.BytesIO(read_full(sha256))).convert("RGB")


def _read(sha256: str, variant: str) -> bytes:
    try:
        return _path(sha256, variant).read_bytes()
    except FileNotFoundError as error:
        raise PictureMissing(f"picture {sha256} is not in the folder any more") from error


def content_type(data: bytes) -> str:
    """The media type of a stored picture, by its first bytes."""
    return "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
