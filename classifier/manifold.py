"""Where a picture lies among all the pictures of a pool: what unlabelled pictures teach.

Pictures are joined to those most like them, and each is described by the slowest ways in which a
value can vary along these joins (Belkin and Niyogi 2003, "Laplacian Eigenmaps"). A head on such
coordinates says much the same of pictures that a chain of alike ones connects, so that ten labels a
class reach far (Zhu, Ghahramani and Lafferty 2003, "Semi-supervised learning using Gaussian fields
and harmonic functions"). No label is looked at. A picture that was not there is placed by its
neighbours (Bengio et al. 2004, "Out-of-sample extensions").
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

LANDMARKS = 4096  # pictures that stand for the pool
COORDINATES = 200
NEIGHBOURS = 10  # itself included
CONTRAST = 0.02  # added to the spread of a picture's likenesses: where all are alike, all count
SMOOTHNESS = 1.5  # how much more a slow variation counts than a quick one
SLOWEST = 0.02  # added to one minus an eigenvalue
LEAST_EIGENVALUE = 0.1
BATCH = 512
TURNS = 40  # of subspace iteration
SPARE = 40  # directions carried along, so that the last wanted one comes out right
MADE_BY = (
    LANDMARKS, COORDINATES, NEIGHBOURS, CONTRAST,
    SMOOTHNESS, SLOWEST, LEAST_EIGENVALUE, TURNS, SPARE,
)  # fmt: skip


@dataclass(frozen=True)
class Manifold:
    """``landmarks`` (LANDMARKS, d), unit rows or zero, and their ``places`` (LANDMARKS,
    COORDINATES)."""

    landmarks: Tensor
    places: Tensor

    def coordinates(self, pictures: Tensor) -> Tensor:
        """(n, COORDINATES) of pictures (n, d), rows of length one."""
        there = self.landmarks.any(dim=1)  # a smaller pool leaves rows that are no pictures
        if not there.any():
            return pictures.new_zeros(len(pictures), COORDINATES)
        landmarks, places = self.landmarks[there].float(), self.places[there].float()
        found = [
            placed(pictures[start : start + BATCH], landmarks, places)
            for start in range(0, len(pictures), BATCH)
        ]
        return torch.cat([pictures.new_zeros(0, COORDINATES), *found])

    @classmethod
    def of(cls, pictures: Tensor) -> "Manifold":
        """Of pictures (n, d), rows of length one; evenly spaced ones of them are landmarks."""
        chosen = pictures[:: -(-len(pictures) // LANDMARKS)]
        places = _places(chosen)
        missing = LANDMARKS - len(chosen)
        return cls(
            functional.pad(chosen, (0, 0, 0, missing)).half(),
            functional.pad(places, (0, COORDINATES - places.shape[1], 0, missing)).half(),
        )


def placed(pictures: Tensor, landmarks: Tensor, places: Tensor) -> Tensor:
    """(n, COORDINATES) of pictures (n, d): the mean of the places of those most like each."""
    nearest, weights = _neighbours(pictures, landmarks)
    shares = weights / weights.sum(dim=1, keepdim=True)
    return torch.einsum("nk,nkc->nc", shares, places[nearest])


def _neighbours(pictures: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest landmarks (n, NEIGHBOURS) of pictures (n, d), and the weight of each.

    The second nearest weighs one, for the nearest may be the picture itself, and the others less
    by how much less alike they are.
    """
    likeness, nearest = (pictures @ landmarks.T).topk(min(NEIGHBOURS, len(landmarks)), dim=1)
    best, worst = likeness[:, min(1, likeness.shape[1] - 1), None], likeness[:, -1:]
    return nearest, ((likeness - best) / (best - worst + CONTRAST)).exp().clamp(max=1.0)


def _places(landmarks: Tensor) -> Tensor:
    """(L, up to COORDINATES) of landmarks (L, d), so that neighbours' means place anything."""
    nearest, weights = _neighbours(landmarks, landmarks)
    joins = landmarks.new_zeros(len(landmarks), len(landmarks)).scatter_(1, nearest, weights)
    joins = torch.maximum(joins, joins.T)
    degrees = joins.sum(dim=1)
    joins = joins * degrees.rsqrt()[:, None] * degrees.rsqrt()
    same = functional.normalize(degrees.sqrt(), dim=0)  # the same value everywhere tells nothing
    values, vectors = _largest(joins, COORDINATES, without=same)
    weight = (1 - values + SLOWEST).pow(-SMOOTHNESS) / values.clamp(min=LEAST_EIGENVALUE)
    spread = (len(landmarks) / degrees).sqrt()[:, None]
    places: Tensor = vectors * spread * weight
    return places / places.abs().max().clamp(min=1e-6)


def _largest(matrix: Tensor, count: int, *, without: Tensor) -> tuple[Tensor, Tensor]:
    """The largest eigenvalues (count,) of a symmetric matrix (L, L), and their vectors (L, count),
    ``without`` (L,) its unit eigenvector that is known.

    Subspace iteration (Rutishauser 1969); fewer come where L is smaller.
    """
    size = len(matrix)
    if size <= 2 * (count + SPARE):
        values, vectors = torch.linalg.eigh(matrix - torch.outer(without, without))
        return values.flip(0)[:count], vectors.flip(1)[:, :count]
    sparse, known = matrix.to_sparse(), without[:, None]

    def multiplied(directions: Tensor) -> Tensor:
        found: Tensor = sparse @ directions
        return found - known @ (known.T @ directions)

    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(size, count + SPARE, generator=generator)
    for _ in range(TURNS):
        directions, _ = torch.linalg.qr(multiplied(multiplied(directions)))
    values, turned = torch.linalg.eigh(directions.T @ multiplied(directions))
    return values.flip(0)[:count], (directions @ turned.flip(1))[:, :count]
