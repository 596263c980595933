"""Is it worse than the version in service? Both on the same images."""

import numpy as np

from workers.gate.case import (
    CONFIDENCE,
    MARGIN,
    MISFIT_MARGIN,
    Case,
    Finding,
    Floats,
    Labels,
    beside,
    right,
)
from workers.gate.paired import chance_of_losing, chance_of_rise, misfit

TELLING = 30  # images of which fewer tell nothing of two misfits


def as_often_right(case: Case) -> Finding:
    """Not right on fewer images, beyond margin and chance."""
    if case.old is None or not len(case.labels):
        return Finding()
    now, before = right(case.new, case.labels), right(case.old, case.labels)
    drop = float(before.mean() - now.mean())
    lost, won = int((before & ~now).sum()), int((now & ~before).sum())
    refusal = (
        f"{case.shown}: {beside(drop)} the version in service ({lost} lost, {won} won), more "
        f"than {100 * MARGIN:.0f} points and than chance"
    )
    chance = chance_of_losing(lost, won)
    figures = {"accuracy_before": before.mean(), "lost": lost, "won": won, "losing_chance": chance}
    worse = drop > MARGIN and chance <= 1 - CONFIDENCE
    return Finding(refusal if worse else "", {key: float(one) for key, one in figures.items()})


def as_fitting(case: Case) -> Finding:
    """Its probabilities fit the labels of what is measured no worse."""
    if case.old is None:
        return Finding()
    return _fitting(case, case.new, case.old, case.labels, what=case.measured_on, key="misfit_rise")


def as_fitting_what_was_taught(case: Case) -> Finding:
    """The same over all labels that were there before the version in service named a class, each
    by a network that was not taught it."""
    about = case.opinions
    if about is None or _shown_to_be_better(case):
        return Finding()  # then so much was learned that what the other knew weighs less
    known = np.isfinite(about.before).all(axis=1)
    return _fitting(
        case,
        about.untaught[known],
        about.before[known],
        about.labels[known],
        what="images that both learned, cross-validated",
        key="taught_misfit_rise",
    )


def _fitting(
    case: Case, new: Floats, old: Floats, labels: Labels, *, what: str, key: str
) -> Finding:
    if len(labels) < TELLING:
        return Finding()
    rises = misfit(new, labels) - misfit(old, labels)
    rise = float(rises.mean())
    chance = chance_of_rise(rises) if rise > MISFIT_MARGIN else 1.0
    refusal = (
        f"{case.shown}, but its probabilities fit the labels of {len(labels)} {what}, worse than "
        f"those of the version in service, by {rise:.2f} nats an image: more than {MISFIT_MARGIN} "
        "and than chance"
    )
    figures = {key: rise} | ({f"{key}_chance": chance} if rise > MISFIT_MARGIN else {})
    return Finding(refusal if chance <= 1 - CONFIDENCE else "", figures)


def _shown_to_be_better(case: Case) -> bool:
    """Right on more of what is measured, beyond margin and chance."""
    if case.old is None or not len(case.labels):
        return False
    now, before = right(case.new, case.labels), right(case.old, case.labels)
    lost, won = int((before & ~now).sum()), int((now & ~before).sum())
    gain = float(now.mean() - before.mean())
    return gain > MARGIN and chance_of_losing(won, lost) <= 1 - CONFIDENCE
