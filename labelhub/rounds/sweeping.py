"""Finds rows whose message was lost, and sends it again. Rows are the truth, messages are hints."""

from datetime import datetime, timedelta

from django.db.models import Q

from labelhub.rounds import dispatch
from labelhub.rounds.models import RankingShard, Round

HINT_EVERY = timedelta(seconds=30)


def sweep_rounds(*, now: datetime) -> int:
    """Send the work of Rounds nobody holds again. Gives how many messages were sent.

    A Round whose worker was killed is found when its lease is over; one whose message was lost with
    the broker, when nobody has claimed it. A doubled message does nothing.
    """
    unheld = Q(lease_until=None) | Q(lease_until__lte=now)
    waiting = (
        Round.objects.filter(unheld)
        .exclude(state__in=[*Round.CLOSED, Round.State.RANKING])
        .filter(Q(hinted_at=None) | Q(hinted_at__lte=now - HINT_EVERY))
    )
    sent = 0
    for row in waiting:
        Round.objects.filter(pk=row.pk).update(hinted_at=now)
        dispatch.after_commit(dispatch.TRAIN_ROUND, round_id=row.pk)
        sent += 1
    return sent


def sweep_shards(*, now: datetime) -> int:
    """Send shards again that should have been ranked by now. Gives how many."""
    waiting = RankingShard.objects.filter(
        Q(hinted_at=None) | Q(hinted_at__lte=now - HINT_EVERY),
        finished_at=None,
        model_version__serving=True,
    )
    sent = 0
    for row in waiting:
        RankingShard.objects.filter(pk=row.pk).update(hinted_at=now)
        dispatch.after_commit(dispatch.RANK_SHARD, shard_id=row.pk)
        sent += 1
    return sent
