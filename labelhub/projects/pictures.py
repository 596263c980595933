"""Pictures by content: cleaned on the way in, re-encoded, stored once, read by hash.

Whatever comes in is decoded within bounds, turned upright, brought to plain RGB and written anew,
so that nothing of the original file (metadata, scripts, second images) survives. The name of a
picture is the SHA-256 of its clean pixels: the same picture in two files is one. Kept are:

- ``full`` fits 1,024 pixels: PNG up to 64 pixels, where every pixel counts, JPEG above;
- ``tile`` is a square as grids show it, filled by the picture's longer side: as large as that up to
  64 pixels, above brought to a multiple of 16 of at most 160. Where it shows the very pixels of a
  PNG ``full``, it is the only file: making a file costs more than anything else that is done to a
  small picture.

Files have no suffix: ``content_type`` tells them apart by their first bytes.
"""

import hashlib
import io
import os
import warnings
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from labelhub.projects.png import STORED, read_plain_png, write_png

MOST_BYTES = 20_000_000
MOST_PIXELS = 40_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MOVING = {"GIF", "PNG", "WEBP"}  # kinds of file whose frames are an animation
FULL_EDGE = 1024
LOSSLESS_EDGE = 64
TILE_EDGE, TILE_STEP = 160, 16
GROUND = (127, 127, 127)  # behind transparent pixels and around pictures that are not square
JPEG: dict[str, Any] = {"format": "JPEG", "quality": 90, "subsampling": 0}
TURNED = 0x0112  # the EXIF entry that says which way is up
_writes = count()


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
    refuse_bytes(len(data), name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow warns about is checked below
            with Pillow.open(io.BytesIO(data), formats=FORMATS) as opened:
                _refuse_oversized(opened.size, name)
                _refuse_many(opened, name)
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
    _refuse_oversized(picture.size, name)
    return _named(picture.convert("RGB"), name)


def refuse_bytes(size: int, name: str) -> None:
    """Raise PictureRejected for a file too large to be read."""
    if size > MOST_BYTES:
        raise PictureRejected(
            name, f"{size / 1e6:.1f} MB; at most {MOST_BYTES / 1e6:.0f} MB are taken"
        )


def _refuse_oversized(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MOST_PIXELS:
        raise PictureRejected(name, f"{width} × {height}; {_most_pixels()} are taken")


def _refuse_many(opened: Pillow.Image, name: str) -> None:
    """One file, one picture. A phone's JPEG may carry previews after its picture: these go."""
    frames = getattr(opened, "n_frames", 1)
    if frames > 1 and opened.format in MOVING:
        raise PictureRejected(name, f"an animation of {frames} frames; give one as a still picture")
    if frames > 1 and opened.format == "TIFF":
        raise PictureRejected(name, f"a document of {frames} pages; give one picture in a file")


def _most_pixels() -> str:
    return f"at most {MOST_PIXELS / 1e6:.0f} million pixels"


def _plain(opened: Pillow.Image) -> Pillow.Image:
    """Upright RGB, transparent pixels on neutral ground, without metadata."""
    opened.load()
    picture = opened
    if ("exif" in opened.info or opened.format in ("TIFF", "PNG")) and _is_turned(opened):
        picture = ImageOps.exif_transpose(opened)
    if picture.mode.startswith("I"):
        picture = _eight_bits(picture)
    if picture.mode == "F":
        raise ValueError("pixels are fractions, and nothing says which is white")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        ground = Pillow.new("RGBA", picture.size, (*GROUND, 255))
        picture = Pillow.alpha_composite(ground, picture)
    return picture.convert("RGB")


def _is_turned(opened: Pillow.Image) -> bool:
    """Whether the metadata, EXIF or XMP, asks for the picture to be turned."""
    if opened.format == "PNG" and not opened.info:
        return False
    return bool(opened.getexif().get(TURNED, 1) != 1)


def _eight_bits(picture: Pillow.Image) -> Pillow.Image:
    """Grey of 16 bits brought down to 8. What is in 16 bits but uses only 8 stays as it is."""
    values = np.asarray(picture)
    if values.max() > 255:
        values = np.clip(values, 0, 65535) >> 8
    return Pillow.fromarray(values.clip(0, 255).astype(np.uint8))


def _named(picture: Pillow.Image, name: str) -> CleanPicture:
    """Name a picture by its pixels as they will be kept."""
    if max(picture.size) > FULL_EDGE:
        picture.thumbnail((FULL_EDGE, FULL_EDGE), Pillow.Resampling.LANCZOS)
    return CleanPicture(name=name, sha256=_digest(picture), pixels=picture)


def _digest(picture: Pillow.Image) -> str:
    digest = hashlib.sha256(f"{picture.width}x{picture.height} RGB ".encode())
    digest.update(picture.tobytes())
    return digest.hexdigest()


def _words(error: Exception) -> str:
    return str(error).split("\n", 1)[0] or type(error).__name__


def store(picture: CleanPicture) -> None:
    """Write both variants unless they are there. Atomic by rename; ``sync`` makes a batch durable.

    Raises OSError (disk full).
    """
    tile = squared(picture.pixels)
    if not _is_lossless(tile) or tile is not picture.pixels:
        _write(_path(picture.sha256, "full"), picture.pixels)
    _write(_path(picture.sha256, "tile"), tile)


def sync() -> None:
    """Make all pictures stored so far durable: once a batch, before the rows that name them."""
    os.sync()


def squared(picture: Pillow.Image) -> Pillow.Image:
    """The whole picture in a square of its longer side, no larger than TILE_EDGE; beside its
    shorter one the ground is neutral."""
    edge = max(picture.size)
    if not _is_lossless(picture):
        edge = min(TILE_EDGE, -(-edge // TILE_STEP) * TILE_STEP)
        picture = ImageOps.contain(picture, (edge, edge), Pillow.Resampling.LANCZOS)
    if picture.size == (edge, edge):
        return picture
    square = Pillow.new("RGB", (edge, edge), GROUND)
    square.paste(picture, ((edge - picture.width) // 2, (edge - picture.height) // 2))
    return square


def _is_lossless(picture: Pillow.Image) -> bool:
    return max(picture.size) <= LOSSLESS_EDGE


def _encoded(picture: Pillow.Image) -> bytes:
    if _is_lossless(picture):
        return write_png(picture, STORED)  # at most 12 kB: rarely a block less if compressed
    buffer = io.BytesIO()
    picture.save(buffer, **JPEG)
    return buffer.getvalue()


def _write(path: str, picture: Pillow.Image) -> None:
    """Write a file unless it is there; it appears whole or not at all."""
    if os.path.exists(path):  # noqa: PTH110  pathlib takes as long as the rest of the writing
        return
    begun = f"{path}.{os.getpid()}.{next(_writes)}"
    try:
        file = open(begun, "xb")  # noqa: PTH123, SIM115
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        file = open(begun, "xb")  # noqa: PTH123, SIM115
    try:
        with file:
            file.write(_encoded(picture))
        os.replace(begun, path)  # noqa: PTH105
    except BaseException:
        Path(begun).unlink(missing_ok=True)
        raise


def _path(sha256: str, variant: str) -> str:
    return f"{settings.DATA_DIR}/pictures/{sha256[:2]}/{sha256}.{variant}"


def read_full(sha256: str) -> bytes:
    """The stored picture at its full size. Raises PictureMissing."""
    try:
        return _read(sha256, "full")
    except PictureMissing:
        data = _read(sha256, "tile")
        if _digest(_decoded(data)) != sha256:  # not the picture itself: its full file was lost
            raise
        return data


def read_tile(sha256: str) -> bytes:
    """The stored picture as the square that grids show. Raises PictureMissing."""
    return _read(sha256, "tile")


def open_full(sha256: str) -> Pillow.Image:
    """The decoded picture, RGB. Raises PictureMissing, and OSError where the file is damaged."""
    return _decoded(read_full(sha256))


def open_tile(sha256: str) -> Pillow.Image:
    """The decoded tile, RGB. Raises PictureMissing, and OSError where the file is damaged."""
    return _decoded(read_tile(sha256))


def _decoded(data: bytes) -> Pillow.Image:
    try:
        return read_plain_png(data) or Pillow.open(io.BytesIO(data), formats=FORMATS).convert("RGB")
    except OSError:
        raise
    except Exception as error:  # decoders fail in many ways, all of them the file's fault
        raise OSError(f"the stored picture is damaged ({_words(error)})") from error


def _read(sha256: str, variant: str) -> bytes:
    try:
        file = os.open(_path(sha256, variant), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise PictureMissing(f"picture {sha256} is not in the folder any more") from error
    try:
        return os.read(file, os.fstat(file).st_size)
    finally:
        os.close(file)


def content_type(data: bytes) -> str:
    """The media type of a stored picture, by its first bytes."""
    return "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
