"""The order in which a training sees its images, drawn before the first step."""

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


def draw_order(
    shares: npt.NDArray[np.float64], draws: int, generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Indices (draws,) of the images to look at, in order.

    Every stretch of as many draws as there are images holds image i either floor or ceil of
    images * shares[i] times (systematic resampling), in random order: with equal shares that is
    the usual epoch without replacement.
    """
    drawable = np.flatnonzero(shares)
    stretches = []
    for _ in range(-(-draws // len(drawable))):
        shuffled = generator.permutation(drawable)
        edges = np.cumsum(shares[shuffled])
        points = (generator.random() + np.arange(len(drawable))) / len(drawable)
        places = np.searchsorted(edges / edges[-1], points, side="right")
        drawn = shuffled[np.minimum(places, len(drawable) - 1)]
        stretches.append(generator.permutation(drawn))
    return np.concatenate(stretches)[:draws]
