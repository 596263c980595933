"""What a source of pictures gives, one at a time: a picture to be, or a refusal with its reason."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

CLUTTER = {"__MACOSX", "Thumbs.db", "desktop.ini"}  # left by file managers, as are hidden files


class SourceError(ValueError):
    """A source cannot be read at all; the message names it and says why."""


@dataclass(frozen=True)
class Item:
    """One picture as it came: a file's bytes, or pixels (H, W[, C]) uint8.

    ``folders`` are the names of the folders it lies in, the nearest first; any may name a class.
    """

    name: str
    folders: tuple[str, ...]
    content: bytes | NDArray[np.uint8]


@dataclass(frozen=True)
class Refused:
    """Something in a source that is not taken."""

    name: str
    reason: str


def is_clutter(parts: Iterable[str]) -> bool:
    """Whether the parts of a path name a hidden file or folder, or what file managers leave."""
    return any(part in CLUTTER or part.startswith(".") for part in parts)


def folders_of(path: PurePosixPath) -> tuple[str, ...]:
    """The names of the folders that a path below a source lies in, the nearest first."""
    return path.parts[-2::-1]


def printable(name: str) -> str:
    """A name that a database takes: bytes that are no text become question marks."""
    return name.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")
