"""The promotion gate: may a new network serve? A reason in words either way. Arrays only.

It refuses what is shown to be bad, and promotes what is as good: a version that learned new labels
knows them, also where few images are there to tell. A version is refused (``workers.gate``)

- whose probabilities are no numbers, or which is measured on too few images;
- whose labels are not what the Gold and the votes in the database make, or a network of which was
  taught others, by the checksum on its card;
- that is right on less than 1.5 times what guessing is, or knows only which classes are common;
- whose training went wrong, which shows by itself: the network to serve is right on fewer images
  than the fold networks by MARGIN and more than chance, or fits what it was taught worse than those
  that were not taught it; a network contradicts labels that it was taught, and one that was not
  taught them says them; two classes stand for each other;
- that is worse than the one in service on the same images by more than a margin and by more than
  chance: right on fewer by MARGIN (exact sign test, McNemar 1947), or with a misfit higher by
  MISFIT_MARGIN (signs of the paired differences by the toss of a coin, Fisher 1935), at CONFIDENCE.

The misfit is the negative log-likelihood of the calibrated probabilities, bounded. It sees on few
images what accuracy does not: a network of flipped labels may be right, and is unsure.

All this tests for being worse beyond a margin, not for being better (Wellek 2010, "Testing
Statistical Hypotheses of Equivalence and Noninferiority"): of two that are equally good the new one
serves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from workers.gate import comparison, soundness
from workers.gate.case import (
    CONFIDENCE,
    MARGIN,
    MISFIT_MARGIN,
    Case,
    Finding,
    Floats,
    Labels,
    Opinions,
    Recount,
    beside,
    right,
)

__all__ = ["CONFIDENCE", "MARGIN", "MISFIT_MARGIN", "Opinions", "Recount", "Verdict", "decide"]

TESTS: tuple[Callable[[Case], Finding], ...] = (
    soundness.numbers,
    soundness.recounted,
    soundness.taught,
    soundness.enough,
    soundness.not_guessing,
    soundness.served_like_folds,
    soundness.learned,
    soundness.not_swapped,
    comparison.as_often_right,
    comparison.as_fitting,
    comparison.as_fitting_what_was_taught,
)


@dataclass(frozen=True)
class Verdict:
    """``promote`` or not, and why, in a sentence that stands on a page. ``figures`` are what the
    tests came to, up to the one that refused. Where the labels do not hold, nothing else that the
    Round made of them is to be believed either."""

    promote: bool
    reason: str
    figures: dict[str, float] = field(default_factory=dict)
    labels_hold: bool = True


def decide(
    *,
    new: Floats,
    old: Floats | None,
    labels: Labels,
    measured_on: str,
    served: Floats,
    fewest: int = 1,
    opinions: Opinions | None = None,
    recount: Recount | None = None,
    mistaught: Sequence[str] = (),
    classes: Sequence[str] = (),
) -> Verdict:
    """Compare on the same m images: ``new`` and ``old`` are (m, K) probabilities, ``labels`` (m,).

    ``old`` is None when no version serves yet. ``measured_on`` names the images in the reason.
    ``served`` (m, K) is what the network to serve says of them: where ``new`` is the fold networks'
    word it may have trained on these very images, and still must not do worse. Fewer images than
    ``fewest`` tell nothing. ``mistaught`` are networks, in words, that were taught other labels
    than the snapshot's. ``classes`` are names by index, for the reason.
    """
    case = Case(
        new, old, labels, measured_on, served, fewest, opinions, recount, mistaught, classes
    )
    figures: dict[str, float] = {}
    for test in TESTS:
        found = test(case)
        figures |= found.figures
        if found.refusal:
            return Verdict(
                promote=False,
                reason=found.refusal,
                figures=figures,
                labels_hold=not soundness.recounted(case).refusal,
            )
    return Verdict(promote=True, reason=_praise(case), figures=figures)


def _praise(case: Case) -> str:
    """Why it is promoted."""
    if case.old is None:
        return f"{case.shown}; the first version in service"
    now, before = right(case.new, case.labels), right(case.old, case.labels)
    drop = float(before.mean() - now.mean())
    if drop <= MARGIN:
        return f"{case.shown}: {beside(drop)} the version before"
    lost, won = int((before & ~now).sum()), int((now & ~before).sum())
    return (
        f"{case.shown}: {beside(drop)} the version in service ({lost} lost, {won} won), "
        "which may be chance"
    )
