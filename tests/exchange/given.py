"""Sources of pictures as people hand them in."""

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from labelhub.projects.models import Project
from labelhub.projects.services import create_project

CLASSES = ("circle", "cross", "triangle")


def project(name: str = "Shapes") -> Project:
    return create_project(name=name, class_names=CLASSES)


def pixels(number: int) -> np.ndarray:
    """A 16×16 picture like no other number's."""
    return np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)


def png(number: int, **options: object) -> bytes:
    return encoded(pixels(number), **options)


def encoded(drawn: np.ndarray, **options: object) -> bytes:
    """A PNG of (H, W, 3) uint8."""
    buffer = io.BytesIO()
    Pillow.fromarray(drawn).save(buffer, "PNG", **options)
    return buffer.getvalue()


def animation() -> bytes:
    frames = [Pillow.fromarray(pixels(900 + number)) for number in range(4)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def tree(root: Path, per_class: int = 3) -> Path:
    """class/number.png for every class; the pictures are numbered through."""
    for place, key in enumerate(CLASSES):
        for number in range(per_class):
            put(root, f"{key}/{number}.png", png(place * per_class + number))
    return root


def put(root: Path, name: str, data: bytes) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def zipped(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def npz(path: Path, **arrays: object) -> Path:
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return path
