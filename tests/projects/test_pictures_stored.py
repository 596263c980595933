"""How pictures are kept, and what the rarer kinds of files turn into."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from labelhub.projects import pictures
from labelhub.projects.pictures import (
    PictureMissing,
    PictureRejected,
    clean,
    clean_array,
    open_full,
    open_tile,
    store,
)
from labelhub.projects.pixels import full_pixels
from labelhub.projects.png import QUICK, STORED, read_plain_pixels, read_plain_png, write_png


@pytest.fixture(autouse=True)
def folder(settings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path / "pictures"


def noise(width: int, height: int, seed: int = 0) -> Pillow.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Pillow.fromarray(values)


def encoded(picture: Pillow.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def stored_files(folder: Path) -> set[str]:
    return {path.suffix for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("edge", [28, 32, 64])
def test_a_small_square_picture_is_one_file(folder: Path, edge: int) -> None:
    picture = clean_array(np.asarray(noise(edge, edge)), "a")
    store(picture)
    assert stored_files(folder) == {".tile"}
    assert np.array_equal(np.asarray(open_full(picture.sha256)), np.asarray(noise(edge, edge)))
    assert np.array_equal(full_pixels(picture.sha256, (edge, edge)), np.asarray(noise(edge, edge)))


@pytest.mark.parametrize("size", [(28, 20), (32, 20), (65, 65), (400, 300)])
def test_a_picture_whose_tile_is_padded_or_reduced_is_two_files(
    folder: Path, size: tuple[int, int]
) -> None:
    picture = clean_array(np.asarray(noise(*size)), "a")
    store(picture)
    assert stored_files(folder) == {".full", ".tile"}
    assert open_full(picture.sha256).size == size
    opened = np.asarray(open_full(picture.sha256))
    assert np.array_equal(full_pixels(picture.sha256, size), opened)


def test_a_lost_full_picture_is_missing_and_its_tile_does_not_stand_in(folder: Path) -> None:
    picture = clean_array(np.asarray(noise(32, 20)), "a")
    store(picture)
    next(folder.rglob("*.full")).unlink()
    assert open_tile(picture.sha256).size == (32, 32)
    with pytest.raises(PictureMissing):
        open_full(picture.sha256)
    with pytest.raises(PictureMissing):
        full_pixels(picture.sha256, (32, 20))


def test_a_stored_picture_is_never_written_again(folder: Path) -> None:
    picture = clean_array(np.asarray(noise(32, 32)), "a")
    store(picture)
    path = next(folder.rglob("*.tile"))
    before = path.stat().st_ino
    store(picture)
    assert path.stat().st_ino == before


def test_a_write_that_fails_leaves_no_half_file(folder: Path, monkeypatch) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="No space left"):
        store(clean_array(np.asarray(noise(32, 32)), "a"))
    assert stored_files(folder) == set()


def test_a_phone_picture_with_previews_behind_it_is_one_picture() -> None:
    previews = [noise(160, 120, seed=1)]
    phone = encoded(noise(640, 480), "MPO", save_all=True, append_images=previews)
    assert Pillow.open(io.BytesIO(phone)).n_frames == 2
    picture = clean(phone, "phone.jpg")
    assert (picture.width, picture.height) == (640, 480)


def test_a_document_of_several_pages_is_refused() -> None:
    pages = encoded(noise(40, 30), "TIFF", save_all=True, append_images=[noise(40, 30, seed=1)])
    with pytest.raises(PictureRejected, match="a document of 2 pages"):
        clean(pages, "scan.tiff")


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_animation_is_refused_with_its_number_of_frames(kind: str) -> None:
    moving = encoded(
        noise(40, 30), kind, save_all=True, append_images=[noise(40, 30, seed=1)], duration=100
    )
    with pytest.raises(PictureRejected, match="an animation of 2 frames"):
        clean(moving, "moving")


def test_sixteen_bits_are_brought_down_to_eight() -> None:
    values = np.random.default_rng(0).integers(0, 65536, (20, 20)).astype(np.uint16)
    picture = clean(encoded(Pillow.fromarray(values), "PNG"), "deep.png")
    assert np.array_equal(np.asarray(picture.pixels)[:, :, 0], values >> 8)


def test_pixels_that_are_fractions_are_refused_for_nothing_says_which_is_white() -> None:
    fractions = Pillow.fromarray(np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20))
    with pytest.raises(PictureRejected, match="fractions"):
        clean(encoded(fractions, "TIFF"), "heights.tiff")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turn", range(2, 9))
def test_a_turned_picture_stands_upright_whatever_file_says_so(kind: str, turn: int) -> None:
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:8, :8] = 255  # white at the top left
    back = {
        2: Pillow.Transpose.FLIP_LEFT_RIGHT,
        3: Pillow.Transpose.ROTATE_180,
        4: Pillow.Transpose.FLIP_TOP_BOTTOM,
        5: Pillow.Transpose.TRANSPOSE,
        6: Pillow.Transpose.ROTATE_90,
        7: Pillow.Transpose.TRANSVERSE,
        8: Pillow.Transpose.ROTATE_270,
    }[turn]
    exif = Pillow.Exif()
    exif[0x0112] = turn
    data = encoded(Pillow.fromarray(upright).transpose(back), kind, exif=exif)
    pixels = np.asarray(clean(data, "turned").pixels).astype(int)
    assert pixels.shape == (32, 48, 3)
    assert pixels[2:6, 2:6].min() > 200
    assert pixels[20:, 20:].max() < 60


@hypothesis_settings(deadline=None)
@given(
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    compression=st.sampled_from([STORED, QUICK]),
    seed=st.integers(0, 1000),
)
def test_the_plain_png_reads_back_pixel_by_pixel_here_and_elsewhere(
    width: int, height: int, compression: int, seed: int
) -> None:
    picture = noise(width, height, seed)
    data = write_png(picture, compression)
    ours = read_plain_png(data)
    assert ours is not None
    assert ours.tobytes() == picture.tobytes()
    assert np.array_equal(read_plain_pixels(data), np.asarray(picture))
    assert Pillow.open(io.BytesIO(data)).convert("RGB").tobytes() == picture.tobytes()


@hypothesis_settings(deadline=None)
@given(at=st.integers(0, 399), value=st.integers(0, 255))
def test_a_damaged_plain_png_is_never_read_as_another_picture(at: int, value: int) -> None:
    picture = noise(12, 12)
    data = bytearray(write_png(picture, QUICK))
    at %= len(data)
    changed = data[at] != value
    data[at] = value
    found = read_plain_png(bytes(data))
    pixels = read_plain_pixels(bytes(data))
    assert (found is None) == (pixels is None)
    assert found is None or np.array_equal(np.asarray(found), pixels)
    assert found is None or found.tobytes() == picture.tobytes() or not changed


def test_pngs_of_others_are_left_to_the_general_coder() -> None:
    assert read_plain_png(encoded(noise(12, 12), "PNG")) is None
    assert read_plain_png(b"") is None
    assert read_plain_png(b"\x89PNG\r\n\x1a\n") is None


def test_what_pillow_warns_about_does_not_disturb_an_import(monkeypatch) -> None:
    monkeypatch.setattr(pictures, "MOST_PIXELS", 10**9)
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 1000)
    assert clean(encoded(noise(40, 40), "PNG"), "warned.png").width == 40
