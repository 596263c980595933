"""Pictures on their way in: what is taken, how it is kept, what is refused and why."""

import io

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
    read_full,
    read_tile,
    store,
)
from labelhub.projects.sheets import sheet


@pytest.fixture(autouse=True)
def _own_folder(settings, tmp_path) -> None:
    settings.DATA_DIR = tmp_path


def encoded(picture: Pillow.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def noise(width: int = 40, height: int = 30, channels: int = 3) -> np.ndarray:
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_the_same_pixels_in_two_kinds_of_file_are_one_picture() -> None:
    picture = Pillow.fromarray(noise())
    as_png, as_bmp = encoded(picture, "PNG"), encoded(picture, "BMP")
    assert clean(as_png, "a.png").sha256 == clean(as_bmp, "b.bmp").sha256
    assert clean_array(noise(), "array").sha256 == clean(as_png, "a.png").sha256


def test_a_small_picture_comes_back_pixel_by_pixel() -> None:
    picture = clean_array(noise(), "a")
    store(picture)
    assert np.array_equal(np.asarray(open_full(picture.sha256)), noise())


def test_a_large_picture_is_brought_to_a_thousand_pixels_and_its_tile_is_a_square() -> None:
    picture = clean(encoded(Pillow.fromarray(noise(3000, 1500)), "JPEG"), "large.jpg")
    store(picture)
    assert Pillow.open(io.BytesIO(read_full(picture.sha256))).size == (1024, 512)
    assert Pillow.open(io.BytesIO(read_tile(picture.sha256))).size == (160, 160)


@pytest.mark.parametrize(
    ("edge", "shown"),
    [(1, 1), (16, 16), (28, 28), (32, 32), (50, 50), (65, 80), (100, 112), (160, 160), (500, 160)],
)
def test_a_square_picture_fills_its_tile(edge: int, shown: int) -> None:
    pixels = np.full((edge, edge, 3), 255, np.uint8)
    picture = clean_array(pixels, "a")
    store(picture)
    tile = Pillow.open(io.BytesIO(read_tile(picture.sha256)))
    assert tile.size == (shown, shown)
    assert np.asarray(tile).min() > 250  # no frame of the ground


@pytest.mark.parametrize(("edge", "shown"), [(9, 32), (16, 32), (28, 28), (50, 56), (100, 112)])
def test_no_picture_of_a_sheet_runs_into_its_neighbour(edge: int, shown: int) -> None:
    stored = [clean_array(np.full((edge, edge, 3), grey, np.uint8), "a") for grey in (0, 255)]
    for picture in stored:
        store(picture)
    order = (0, 1, 1, 0)
    data, _ = sheet([stored[place].sha256 for place in order], columns=2)
    drawn = np.asarray(Pillow.open(io.BytesIO(data)).convert("L"))
    assert drawn.shape == (2 * shown, 2 * shown)
    for place, grey in enumerate(order):
        row, column = (shown * part for part in divmod(place, 2))
        tile = drawn[row : row + shown, column : column + shown]
        assert np.abs(tile.astype(int) - 255 * grey).max() <= 2


def test_a_picture_is_turned_upright_and_its_metadata_is_gone() -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010E] = "<script>alert(1)</script>"
    picture = clean(encoded(Pillow.fromarray(noise(40, 30)), "JPEG", exif=exif), "turned.jpg")
    store(picture)
    assert (picture.width, picture.height) == (30, 40)
    assert b"script" not in read_full(picture.sha256)


def test_transparent_pixels_lie_on_neutral_ground() -> None:
    glass = Pillow.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert clean(encoded(glass, "PNG"), "glass.png").pixels.getpixel((0, 0)) == pictures.GROUND


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16", "I"])
def test_every_colour_mode_becomes_rgb(mode: str) -> None:
    if mode in ("I;16", "I"):
        values = noise(16, 16, 1).astype(np.uint16) * 257
        data = encoded(Pillow.fromarray(values), "PNG")
    else:
        kind = "TIFF" if mode == "CMYK" else "PNG"
        data = encoded(Pillow.fromarray(noise(16, 16)).convert(mode), kind)
    picture = clean(data, f"{mode}.x")
    assert picture.pixels.mode == "RGB"
    assert np.asarray(picture.pixels).std() > 10


def animated() -> bytes:
    frames = [Pillow.fromarray(noise() ^ np.uint8(value)) for value in (0, 90, 170)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("empty.png", b"", "the file is empty"),
        ("notes.txt", b"hello, I am a text", "not a picture"),
        ("page.jpg", b"<html><script>alert(1)</script></html>", "not a picture"),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        ("cut.png", encoded(Pillow.fromarray(noise(200, 200)), "PNG")[:2000], "cut short"),
        ("cut.jpg", encoded(Pillow.fromarray(noise(200, 200)), "JPEG")[:2000], "cut short"),
        ("dance.gif", animated(), "3 frames"),
    ],
)
def test_a_bad_file_is_refused_by_name_with_the_reason(name: str, data: bytes, reason: str) -> None:
    with pytest.raises(PictureRejected, match=reason) as refusal:
        clean(data, name)
    assert refusal.value.name == name
    assert name in str(refusal.value)


@pytest.mark.parametrize("edge", [7_000, 20_000])
def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(edge: int) -> None:
    bomb = encoded(Pillow.new("1", (edge, edge)), "PNG")
    assert len(bomb) < 100_000
    with pytest.raises(PictureRejected, match="at most 40 million pixels are taken"):
        clean(bomb, "bomb.png")


def test_a_file_with_too_many_bytes_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(pictures, "MOST_BYTES", 1000)
    with pytest.raises(PictureRejected, match="MB"):
        clean(encoded(Pillow.fromarray(noise(100, 100)), "BMP"), "big.bmp")


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros((4, 4), np.float32),
        np.zeros(4, np.uint8),
    ],
)
def test_an_array_that_is_no_picture_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(PictureRejected):
        clean_array(pixels, "image 3")


@hypothesis_settings(deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_are_refused_and_never_crash(data: bytes) -> None:
    with pytest.raises(PictureRejected):
        clean(data, "random")


def test_a_missing_picture_says_so() -> None:
    with pytest.raises(PictureMissing, match="not in the folder"):
        read_full("0" * 64)


def test_a_sheet_shows_every_tile_in_its_place_pixel_by_pixel() -> None:
    tiles = [
        np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        for number in range(9)
    ]
    stored = [clean_array(tile, "tile") for tile in tiles]
    for picture in stored:
        store(picture)
    data, kind = sheet([picture.sha256 for picture in stored], columns=3)
    pixels = np.asarray(Pillow.open(io.BytesIO(data)))
    assert kind == "image/png"
    for place, tile in enumerate(tiles):
        row, column = divmod(place, 3)
        part = pixels[row * 32 : row * 32 + 32, column * 32 : column * 32 + 32]
        assert np.array_equal(part, tile)


def test_a_sheet_of_photographs_is_a_jpeg_with_all_tiles_at_one_size() -> None:
    small, large = clean_array(noise(48, 48), "s"), clean_array(noise(400, 300), "l")
    store(small)
    store(large)
    data, kind = sheet([small.sha256, large.sha256, small.sha256, large.sha256], columns=2)
    assert kind == "image/jpeg"
    assert Pillow.open(io.BytesIO(data)).size == (320, 320)
