"""What the demo's pictures show. Only robots and scores read it; the product never does."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class UnknownPicture(LookupError):
    """A tile that is none of the demo's pictures."""


@dataclass(frozen=True)
class Truth:
    """N pictures (N, H, W, 3) uint8, their content hashes, and their classes by key."""

    pictures: NDArray[np.uint8]
    sha256s: tuple[str, ...]
    keys: tuple[str, ...]

    def save(self, path: Path) -> None:
        """Write it as NPZ. Raises OSError."""
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                pictures=self.pictures,
                sha256s=np.array(self.sha256s),
                keys=np.array(self.keys),
            )

    @classmethod
    def load(cls, path: Path) -> "Truth":
        """Read what ``save`` wrote. Raises OSError, ValueError."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(
                pictures=arrays["pictures"],
                sha256s=tuple(arrays["sha256s"].tolist()),
                keys=tuple(arrays["keys"].tolist()),
            )

    def key_of(self) -> dict[str, str]:
        """The class of a picture by its content hash."""
        return dict(zip(self.sha256s, self.keys, strict=True))


class Eye:
    """Looks at a sheet of tiles as a visitor does, and knows each tile again by its pixels."""

    def __init__(self, truth: Truth) -> None:
        self._edge = truth.pictures.shape[1]
        self._key_of = {
            picture.tobytes(): key for picture, key in zip(truth.pictures, truth.keys, strict=True)
        }

    def look(self, sheet: NDArray[np.uint8], *, tiles: int) -> list[str]:
        """The class of each tile of a sheet (rows · edge, columns · edge, 3), row by row.

        Raises UnknownPicture, also for a sheet whose size is no multiple of a tile's.
        """
        height, width, _ = sheet.shape
        columns = width // self._edge
        if width % self._edge or height % self._edge or columns * (height // self._edge) < tiles:
            raise UnknownPicture(f"a sheet of {width}×{height} pixels holds no {tiles} tiles")
        seen = []
        for place in range(tiles):
            top, left = (self._edge * step for step in divmod(place, columns))
            tile = sheet[top : top + self._edge, left : left + self._edge]
            key = self._key_of.get(tile.tobytes())
            if key is None:
                raise UnknownPicture(f"tile {place} of a sheet is none of the demo's pictures")
            seen.append(key)
        return seen
