"""What unlabelled pictures tell: scales, directions, and places along the pool's own shape."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from classifier import manifold
from classifier.features import FEATURES
from classifier.manifold import COORDINATES, LANDMARKS, Manifold
from classifier.pool import BadPool, Pool


def two_arcs(each: int) -> torch.Tensor:
    """(2 · each, 4) unit rows along two arcs that never meet."""
    angles = torch.linspace(0, torch.pi / 2, each)
    arc = torch.stack([angles.cos(), angles.sin()], dim=1)
    return torch.cat([functional.pad(arc, (0, 2)), functional.pad(arc, (2, 0))])


def features(count: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, FEATURES)).astype(np.float16)


def test_pictures_that_a_chain_of_alike_ones_connects_have_alike_places() -> None:
    rows = two_arcs(60)
    places = functional.normalize(Manifold.of(rows).coordinates(rows), dim=1)
    alike = places @ places.T
    assert alike[:60, :60].mean() > alike[:60, 60:].mean() + 0.5


def test_a_picture_that_was_not_there_is_placed_beside_its_neighbours() -> None:
    rows = two_arcs(60)
    shape = Manifold.of(rows)
    between = functional.normalize((rows[20] + rows[21])[None], dim=1)
    there, here = (functional.normalize(shape.coordinates(one), dim=1) for one in (rows, between))
    assert int((here @ there.T).argmax()) in range(17, 25)


@pytest.mark.parametrize("count", [1, 2, 3, 30])
def test_a_small_pool_has_a_shape_too(count) -> None:
    rows = two_arcs(count)[:count]
    shape = Manifold.of(rows)
    assert (shape.landmarks.shape, shape.places.shape) == ((LANDMARKS, 4), (LANDMARKS, COORDINATES))
    assert shape.coordinates(rows).isfinite().all()
    assert shape.coordinates(rows[:0]).shape == (0, COORDINATES)


@pytest.mark.parametrize("count", [3, 20])
def test_what_is_no_picture_is_nobodys_neighbour(count) -> None:
    angles = torch.arange(count) / count * 2 * torch.pi  # all around: most are unlike each other
    rows = torch.stack([angles.cos(), angles.sin()], dim=1)
    padded = Manifold.of(rows)
    alone = Manifold(padded.landmarks[:count], padded.places[:count])
    assert torch.equal(padded.coordinates(rows), alone.coordinates(rows))
    assert len(padded.coordinates(rows).unique(dim=0)) == count


def test_the_same_picture_many_times_has_a_shape_too() -> None:
    for rows in (torch.ones(50, 4) / 2, torch.zeros(50, 4)):
        assert Manifold.of(rows).coordinates(rows).isfinite().all()


def test_subspace_iteration_finds_what_a_full_decomposition_finds(monkeypatch) -> None:
    monkeypatch.setattr(manifold, "SPARE", 20)
    generator = torch.Generator().manual_seed(1)
    vectors, _ = torch.linalg.qr(torch.randn(120, 120, generator=generator))
    values = torch.linspace(0, 1, 120).pow(3)
    matrix = vectors @ torch.diag(values) @ vectors.T
    found, along = manifold._largest(matrix, 10, without=vectors[:, -1])
    assert torch.allclose(found, values.flip(0)[1:11], atol=1e-3)
    assert torch.allclose((along.T @ vectors.flip(1)[:, 1:11]).abs(), torch.eye(10), atol=0.05)


def test_a_pool_comes_back_from_its_file(tmp_path) -> None:
    pool = Pool.of(features(40))
    pool.save(tmp_path / "pool")
    back = Pool.load(tmp_path / "pool")
    assert torch.equal(back.directions[1].axes, pool.directions[1].axes)
    assert torch.equal(back.manifold.places, pool.manifold.places)
    (tmp_path / "pool").write_bytes(b"broken")
    with pytest.raises(BadPool, match="pool"):
        Pool.load(tmp_path / "pool")


def test_the_same_pictures_have_the_same_shape() -> None:
    first, second = (Pool.of(features(60)) for _ in range(2))
    assert torch.equal(first.directions[0].axes, second.directions[0].axes)
    assert torch.equal(first.manifold.places, second.manifold.places)


def test_pictures_with_one_description_are_standardised_without_infinities() -> None:
    pool = Pool.of(np.zeros((5, FEATURES), dtype=np.float16))
    assert all(one.axes.isfinite().all() for one in pool.directions)
    assert pool.manifold.places.isfinite().all()


def test_no_pictures_have_no_shape() -> None:
    with pytest.raises(ValueError, match="no pictures"):
        Pool.of(features(0))
