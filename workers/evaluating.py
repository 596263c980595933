"""What the evaluation of a Round has found, and how much of it is kept with the version."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from classifier.calibration import uncalibrated
from classifier.evaluation import evaluate
from workers.comparison import Comparison
from workers.lessons import Choice
from workers.promotion import CONFIDENCE, MARGIN, MISFIT_MARGIN, Opinions, Recount, Verdict
from workers.snapshot import Snapshot

DIGITS = 5  # of a stored figure


@dataclass(frozen=True)
class Evaluated:
    """All that the gate decides on, and the temperature of the networks."""

    temperature: float
    comparison: Comparison
    opinions: Opinions
    recount: Recount
    mistaught: list[str]  # networks that were taught other labels, in words


def metrics(
    evaluated: Evaluated, *, snapshot: Snapshot, verdict: Verdict, choice: Choice | None
) -> dict[str, Any]:
    """JSON for ModelVersion.metrics, so that pages only draw.

    The scores of ``classifier.evaluation`` where there were images, ``measured_on`` in words,
    ``kinds``: how many of the images are Gold, told by votes, or of the holdout; and ``gate``: its
    margins and what its tests came to; ``choice``: what ``auto`` chose from.
    """
    compared = evaluated.comparison
    scores = {}
    if len(compared.labels) and np.isfinite(compared.new).all():
        before = uncalibrated(compared.new, evaluated.temperature)
        scores = evaluate(
            compared.new, compared.labels, uncalibrated=before, ids=compared.images
        ).to_dict()
    return {
        **scores,
        "measured_on": compared.measured_on,
        "kinds": _kinds(compared, snapshot),
        "gate": {
            "margin": MARGIN,
            "misfit_margin": MISFIT_MARGIN,
            "confidence": CONFIDENCE,
            **{name: round(value, DIGITS) for name, value in verdict.figures.items()},
        },
        **({"choice": asdict(choice)} if choice else {}),
    }


def _kinds(compared: Comparison, snapshot: Snapshot) -> dict[str, int]:
    measured = np.isin(snapshot.images, compared.images)
    gold = measured & (snapshot.gold >= 0)
    held = measured & snapshot.holdout & ~gold
    kinds = {"gold": gold, "votes": measured & ~gold & ~held, "holdout": held}
    return {kind: int(chosen.sum()) for kind, chosen in kinds.items()}
