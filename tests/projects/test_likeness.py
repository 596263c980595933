"""Which pictures count as alike, and that a picture of nothing is like no other."""

import io
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageEnhance

from fixtures.shapes import draw_shapes
from labelhub.projects.likeness import fingerprint, is_like_one_of, like_an_earlier

SHAPES = [Pillow.fromarray(pixels) for pixels in draw_shapes(count=120, seed=0).images]


def saved_again(picture: Pillow.Image) -> Pillow.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=75)
    return Pillow.open(file).convert("RGB")


def moved(picture: Pillow.Image) -> Pillow.Image:
    """By half a pixel to the right and down, as by a hand that holds a camera."""
    by = (1, 0, 0.5, 0, 1, 0.5)
    return picture.transform(picture.size, Pillow.Transform.AFFINE, by, Pillow.Resampling.BILINEAR)


@pytest.mark.parametrize(
    ("change", "recognised"),
    [
        (saved_again, 0.95),
        (lambda one: ImageEnhance.Brightness(one).enhance(1.15), 0.95),
        (lambda one: one.resize((77, 64), Pillow.Resampling.BICUBIC), 0.95),
        (moved, 0.85),
    ],
    ids=["saved again", "brighter", "another size", "moved a little"],
)
def test_a_picture_that_was_changed_a_little_still_looks_like_itself(
    change: Callable[[Pillow.Image], Pillow.Image], recognised: float
) -> None:
    alike = [is_like_one_of(fingerprint(change(one)), [fingerprint(one)]) for one in SHAPES]
    assert sum(alike) >= recognised * len(SHAPES)


def test_other_drawings_of_the_same_six_shapes_hardly_ever_look_alike() -> None:
    looks = [fingerprint(one) for one in SHAPES]
    alike = [is_like_one_of(one, [other]) for one, other in combinations(looks, 2)]
    assert sum(alike) <= 0.001 * len(alike)


def test_a_picture_upside_down_is_another_one() -> None:
    """Its waves are as strong: an arrow up and an arrow down must not pass for one picture."""
    turned = [one.rotate(180) for one in SHAPES]
    same = zip(SHAPES, turned, strict=True)
    alike = [is_like_one_of(fingerprint(one), [fingerprint(other)]) for one, other in same]
    assert not any(alike)


NOISE = np.random.default_rng(0).normal(0, 2, (32, 32))


@pytest.mark.parametrize(
    "grey",
    [
        np.full((40, 60), 77),
        np.tile(np.arange(200), (200, 1)),
        np.add.outer(np.arange(120), np.arange(120)),
        np.full((32, 32), 128) + NOISE,
    ],
    ids=["flat", "a gradient", "a slanting gradient", "noise of a sensor"],
)
def test_a_picture_of_nothing_is_like_no_other_not_even_like_itself(grey: np.ndarray) -> None:
    look = fingerprint(Pillow.fromarray(grey.astype(np.uint8)).convert("RGB"))
    assert look is None
    assert not is_like_one_of(look, [look])
    assert not is_like_one_of(5, [look])


def test_fingerprints_are_signed_and_compared_by_their_bits() -> None:
    looks = [fingerprint(one) for one in SHAPES]
    assert all(look is not None and -(2**63) <= look < 2**63 for look in looks)
    assert any(look < 0 for look in looks)
    assert is_like_one_of(-1, [2**63 - 1]), "one bit apart, the sign"
    assert is_like_one_of(-1, [0, -256]), "eight bits"
    assert not is_like_one_of(-1, [0, -512]), "nine bits"


def test_of_pictures_that_look_alike_all_but_the_first_are_like_an_earlier_one() -> None:
    looks = [7, None, 0, -1, -2, None, 7]
    assert like_an_earlier(looks) == [False, False, True, False, True, False, True]
    chain = [0, 0xFF, 0xFFFF]  # the third is like the second, which is not kept
    assert like_an_earlier(chain) == [False, True, False]
