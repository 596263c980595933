"""How long people take for a tile and for a choice: measured on the sheets they answered."""

from collections.abc import Sequence
from math import exp, log

import numpy as np

from labelhub.challenges.models import Challenge
from labelhub.projects.models import Project
from labelhub.votes.questions import Costs

RECENT = 500  # sheets of a form
USUAL_STRENGTH = 20  # sheets' worth of belief in the usual times
LEAST, MOST = 0.2, 60.0  # seconds of a tile or choice: what is outside was no looking


def measured_costs(*, project: Project) -> Costs:
    """Medians of the latest answered sheets; few sheets move the usual times little.

    The clock of a sheet runs from when it was handed out: the median does not mind who left it
    lying.
    """
    usual = Costs()
    return Costs(
        tile=_held(_seconds(project, Challenge.Form.GRID), usual.tile),
        choice=_held(_seconds(project, Challenge.Form.CHOICE), usual.choice),
    )


def _seconds(project: Project, form: Challenge.Form) -> list[float]:
    """Of a person's time for each place of the latest sheets of a form."""
    answered = Challenge.objects.filter(
        project=project, form=form, state=Challenge.State.ANSWERED
    ).order_by("-pk")[:RECENT]
    rows = answered.values_list("issued_at", "spent_at", "places")
    return [(spent - issued).total_seconds() / places for issued, spent, places in rows if spent]


def _held(seconds: Sequence[float], usual: float) -> float:
    """The median, on the scale of logarithms between it and the usual time by how many it is of."""
    looked = [value for value in seconds if LEAST <= value <= MOST]
    if not looked:
        return usual
    weight = len(looked) / (len(looked) + USUAL_STRENGTH)
    return round(exp(weight * log(float(np.median(looked))) + (1 - weight) * log(usual)), 3)
