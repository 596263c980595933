"""The order in which a training sees its images."""

import numpy as np
import numpy.typing as npt

RAREST_FACTOR = 4.0


def draw_shares(
    targets: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """How often each image is drawn: by its weight, and more often when its class is rare.

    targets (images, classes), weights (images,); returns (images,) summing to 1. A class whose
    share of the weight is s is favoured by (1 / (classes seen * s)) ** 0.5, at most 4 times:
    the square root lies half-way between the data's shares and equal shares, which keeps rare
    classes from drowning without repeating three images for ever (Mahajan et al. 2018,
    "Exploring the Limits of Weakly Supervised Pretraining"). The price: probabilities of rare
    classes come out somewhat high. An image of weight 0 is never drawn.
    """
    mass = weights @ targets  # (classes,)
    seen = mass > 0
    favour = np.zeros_like(mass)
    favour[seen] = np.sqrt(mass.sum() / (seen.sum() * mass[seen]))
    shares = weights * (targets @ np.minimum(favour, RAREST_FACTOR))
    return np.asarray(shares / shares.sum())  # (images,)


class DrawOrder:
    """Indices of the images to look at, in order and without end, drawn as they are needed: a
    training that its minutes end may be promised more steps than there is memory for.

    Every stretch of as many draws as there are images holds image i either floor or ceil of
    images * shares[i] times (systematic resampling), in random order: with equal shares that is
    the usual epoch without replacement.
    """

    def __init__(self, shares: npt.NDArray[np.float64], generator: np.random.Generator) -> None:
        """Begin at the first draw; ``shares`` (images,) sum to 1."""
        self._shares, self._generator = shares, generator
        self._drawable = np.flatnonzero(shares)
        self._ahead: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._passed = 0  # draws before those in ``_ahead``

    def take(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """(stop - start,) the draws of these places, which only go forward: what lies before
        ``start`` is forgotten. Raises ValueError for what is forgotten already."""
        if start < self._passed:
            raise ValueError(f"draw {start} is forgotten, the first is {self._passed}")
        stretches = [self._ahead]
        end = self._passed + len(self._ahead)
        while end < stop:
            stretches.append(self._stretch())
            end += len(stretches[-1])
            if end <= start:  # a training that goes on after a kill passes over what it has seen
                stretches = []
        self._ahead = np.concatenate(stretches)
        self._ahead = self._ahead[start - (end - len(self._ahead)) :]
        self._passed = start
        return self._ahead[: stop - start]

    def _stretch(self) -> npt.NDArray[np.int64]:
        drawable, generator = self._drawable, self._generator
        shuffled = generator.permutation(drawable)
        edges = np.cumsum(self._shares[shuffled])
        points = (generator.random() + np.arange(len(drawable))) / len(drawable)
        places = np.searchsorted(edges / edges[-1], points, side="right")
        drawn = shuffled[np.minimum(places, len(drawable) - 1)]
        return generator.permutation(drawn)
