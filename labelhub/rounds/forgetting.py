"""Predictions that nobody asks for any more go: every version writes one for each image.

Those of the version in service stay, and of the one before it, to show what a Round has changed.
A rollback further back ranks anew by the version's files, which stay.
"""

from django.db.models import Exists, OuterRef

from labelhub.rounds.models import ModelVersion, Prediction
from labelhub.rounds.selectors import version_before

BATCH = 500  # rows a transaction: a few milliseconds, answers come in between
MOST_BATCHES = 20  # in one go; the next tick goes on


def forget_predictions() -> int:
    """Remove a bounded number of superseded Predictions. Gives how many."""
    forgotten = 0
    for _ in range(MOST_BATCHES):
        version = _superseded()
        if version is None:
            break
        rows = Prediction.objects.filter(model_version=version).values_list("pk", flat=True)
        forgotten += Prediction.objects.filter(pk__in=list(rows[:BATCH])).delete()[0]
    return forgotten


def _superseded() -> ModelVersion | None:
    """A version with Predictions that neither serves nor served before."""
    serving = list(ModelVersion.objects.filter(serving=True).select_related("before"))
    before = [version_before(serving=version) for version in serving]
    kept = [version.pk for version in [*serving, *before] if version is not None]
    ranked = Exists(Prediction.objects.filter(model_version=OuterRef("pk")))
    return ModelVersion.objects.filter(ranked).exclude(pk__in=kept).order_by("pk").first()
