"""What all the pictures of a pool, labelled or not, tell about their features; without a label.

How features are scaled, along which directions pictures differ at all, and how the pool hangs
together. Heads are fitted on top in seconds.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.nn import functional

from classifier.atomic import replace_file
from classifier.features import BLOCKS
from classifier.manifold import LANDMARKS, MADE_BY, Manifold

SAMPLE = LANDMARKS  # pictures that stand for a larger pool
LENGTH = 20.0  # of a standardised description, so that its head's weights are of about one
LEAST_DEVIATION = 1e-3
PRINCIPAL = 400  # directions of a block that heads are fitted along
LEADING = 60  # of them: pictures that agree in these are neighbours
SKETCH_TURNS = 2
SHAPED_BY = (LENGTH, LEAST_DEVIATION, PRINCIPAL, LEADING, SKETCH_TURNS, *MADE_BY)


class BadPool(ValueError):
    """The file does not tell about a pool; the message says why."""


@dataclass(frozen=True)
class Directions:
    """Of one block of d features: ``mean`` and ``deviation`` (d,) that standardise them, and the
    ``centre`` (d,) and orthonormal ``axes`` (d, p), widest first, of what that makes.

    p is PRINCIPAL, or less where there are fewer pictures.
    """

    mean: Tensor
    deviation: Tensor
    centre: Tensor
    axes: Tensor

    @classmethod
    def of(cls, features: Tensor) -> "Directions":
        """Of features (n, d): principal components, found in a random sketch (Halko, Martinsson and
        Tropp 2011, "Finding structure with randomness")."""
        mean, deviation = features.mean(dim=0), features.std(dim=0, correction=0) + LEAST_DEVIATION
        rows = standardised(features, mean, deviation)
        centre = rows.mean(dim=0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            width = min(PRINCIPAL, *rows.shape)
            _, _, axes = torch.svd_lowrank(rows - centre, q=width, niter=SKETCH_TURNS)
        return cls(mean, deviation, centre, axes.contiguous())

    @property
    def leading(self) -> Tensor:
        """(d, LEADING) the widest axes, zero where there are fewer."""
        missing = max(0, LEADING - self.axes.shape[1])
        return functional.pad(self.axes[:, :LEADING], (0, missing))


@dataclass(frozen=True)
class Pool:
    """The Directions of each block, and how the pool hangs together along their leading ones."""

    directions: tuple[Directions, ...]
    manifold: Manifold

    @classmethod
    def of(cls, features: npt.NDArray[np.float16]) -> "Pool":
        """Of features (n, FEATURES) of at most SAMPLE pictures. Raises ValueError without any."""
        if not len(features):
            raise ValueError("there are no pictures to learn a pool's shape from")
        wide = torch.from_numpy(features.astype(np.float32))
        found = tuple(Directions.of(wide[:, block]) for block in BLOCKS)
        rows = [
            standardised(wide[:, block], one.mean, one.deviation)
            for block, one in zip(BLOCKS, found, strict=True)
        ]
        leading, centres = [one.leading for one in found], [one.centre for one in found]
        return cls(found, Manifold.of(neighbourhood(rows, leading, centres)))

    def save(self, path: Path) -> None:
        """Write it in one step."""
        tensors = {f"manifold.{name}": one for name, one in vars(self.manifold).items()}
        for number, one in enumerate(self.directions):
            tensors |= {f"{number}.{name}": tensor for name, tensor in vars(one).items()}
        replace_file(path, safetensors.torch.save(tensors))

    @classmethod
    def load(cls, path: Path) -> "Pool":
        """Read what ``save`` wrote. Raises OSError, BadPool."""
        data = path.read_bytes()
        try:
            tensors = safetensors.torch.load(data)
            directions = tuple(
                Directions(**{field.name: tensors[f"{number}.{field.name}"]
                              for field in fields(Directions)})
                for number in range(len(BLOCKS))
            )  # fmt: skip
            manifold = Manifold(tensors["manifold.landmarks"], tensors["manifold.places"])
        except (SafetensorError, KeyError) as error:
            raise BadPool(f"{path}: it tells of no pool ({error})") from error
        return cls(directions, manifold)


def standardised(features: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """(n, d) of mean zero and deviation one in each column, each row of one length."""
    return functional.normalize((features - mean) / deviation, dim=1) * LENGTH


def neighbourhood(rows: list[Tensor], leading: list[Tensor], centres: list[Tensor]) -> Tensor:
    """Unit rows (n, blocks · LEADING) whose products say how alike pictures are.

    ``rows`` are standardised (n, d) of each block, ``leading`` (d, LEADING), ``centres`` (d,).
    """
    along = [
        row @ axes - centre @ axes for row, axes, centre in zip(rows, leading, centres, strict=True)
    ]
    return functional.normalize(torch.cat(along, dim=1), dim=1)
