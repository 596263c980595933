"""The promotion gate: may a new network serve? A reason in words either way. Arrays only."""

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

MARGIN = 0.02  # accuracy: a version that is worse than the one serving by more is refused
CONFIDENCE = 0.9  # that it is worse at all, which a few Gold images may not tell
ABOVE_CHANCE = 1.5  # times the accuracy of guessing that a first version must reach


@dataclass(frozen=True)
class Verdict:
    """``promote`` or not, and why, in a sentence that stands on a page."""

    promote: bool
    reason: str


def decide(
    *,
    new: NDArray[np.floating],
    old: NDArray[np.floating] | None,
    labels: NDArray[np.integer],
    measured_on: str,
    served: NDArray[np.floating],
    fewest: int = 1,
) -> Verdict:
    """Compare on the same n images: ``new`` and ``old`` are (n, K) probabilities, ``labels`` (n,).

    ``old`` is None when no version serves yet. ``measured_on`` names the images in the reason.
    ``served`` (n, K) is what the network to serve says of them: where ``new`` is the fold networks'
    word it may have trained on these very images, and still must not do worse. Fewer images than
    ``fewest`` tell nothing.
    """
    if not (np.isfinite(new).all() and np.isfinite(served).all()):
        return Verdict(promote=False, reason="the network's probabilities are not numbers")
    if len(labels) < fewest:
        reason = (
            f"{len(labels)} {measured_on}, are too few to measure it on, at least {fewest} are "
            "needed: wait for more votes, or mark ten or more images as Gold"
        )
        return Verdict(promote=False, reason=reason)
    return _compared(new, old, labels, measured_on, served)


def _compared(
    new: NDArray[np.floating],
    old: NDArray[np.floating] | None,
    labels: NDArray[np.integer],
    measured_on: str,
    served: NDArray[np.floating],
) -> Verdict:
    """The verdict over numbers that can be compared."""
    accuracy = float((new.argmax(axis=1) == labels).mean())
    shown = f"right on {accuracy:.1%} of {len(labels)} {measured_on}"
    least = ABOVE_CHANCE / new.shape[1]
    if accuracy < least:
        return Verdict(promote=False, reason=f"{shown}: hardly better than guessing")
    own = float((served.argmax(axis=1) == labels).mean())
    if own < accuracy - MARGIN:
        return Verdict(
            promote=False,
            reason=f"{shown}, but the network to serve on {own:.1%}: its training went wrong",
        )
    if old is None:
        return Verdict(promote=True, reason=f"{shown}; the first version in service")
    return _against(old.argmax(axis=1) == labels, new.argmax(axis=1) == labels, shown)


def _against(old: NDArray[np.bool_], new: NDArray[np.bool_], shown: str) -> Verdict:
    """The verdict over what two versions are right on, (n,) each, of the same images."""
    drop = float(old.mean() - new.mean())
    if drop <= MARGIN:
        return Verdict(promote=True, reason=f"{shown}: {_beside(drop)} the version before")
    lost, won = int((old & ~new).sum()), int((new & ~old).sum())
    below = f"{shown}: {_beside(drop)} the version in service ({lost} lost, {won} won)"
    if _chance(lost, won) <= 1 - CONFIDENCE:
        most = f"{100 * MARGIN:.0f} points"
        return Verdict(promote=False, reason=f"{below}, more than {most} and than chance")
    return Verdict(promote=True, reason=f"{below}, which may be chance")


def _beside(drop: float) -> str:
    """How far one accuracy lies from another. Between shares lie points: 2 % above 80 % is 81.6 %.

    ``drop`` is how much less it is.
    """
    points = f"{100 * abs(drop):.1f}"
    if points == "0.0":
        return "as good as"
    return f"{points} points {'below' if drop > 0 else 'above'}"


def _chance(lost: int, won: int) -> float:
    """How likely as good a version loses so many or more of the images that the two differ on.

    The exact sign test of McNemar 1947.
    """
    differing = lost + won
    ways = sum(comb(differing, count) for count in range(lost, differing + 1))
    return float(ways / 2**differing)
