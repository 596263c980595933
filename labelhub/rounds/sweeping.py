"""Finds rows whose message was lost, and sends it again. Rows are the truth, messages are hints."""

import logging
from datetime import datetime, timedelta

from django.db.models import Q

from labelhub.rounds import dispatch
from labelhub.rounds.models import RankingShard, Round
from labelhub.rounds.rollback import end_hopeless_rankings
from labelhub.rounds.services import give_up_rounds
from labelhub.rounds.shards import MOST_TRIES

logger = logging.getLogger(__name__)
HINT_EVERY = timedelta(seconds=30)
SHARDS_AT_ONCE = 32  # messages a sweep: a broker that lost thousands gets them back bit by bit


def sweep_rounds(*, now: datetime) -> int:
    """Send the work of Rounds nobody holds again. Gives how many messages were sent.

    A Round whose worker was killed is found when its lease is over; one whose message was lost with
    the broker, when nobody has claimed it. A doubled message does nothing. One that too many
    workers did not come back from is closed instead.
    """
    give_up_rounds(now=now)
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
    """Send shards again that should have been ranked by now, longest ago first. Gives how many.

    While a worker is at one shard of a ranking, the messages of the others wait in the broker. A
    ranking that cannot come to its end is ended.
    """
    for ended in end_hopeless_rankings(now=now):
        logger.error("%s of %s: its version cannot rank: withdrawn", ended, ended.project.slug)
    at_work = RankingShard.objects.filter(finished_at=None, leased_until__gt=now)
    waiting = (
        RankingShard.objects.filter(
            Q(hinted_at=None) | Q(hinted_at__lte=now - HINT_EVERY),
            finished_at=None,
            tries__lt=MOST_TRIES,
            model_version__serving=True,
        )
        .exclude(model_version__in=at_work.values("model_version"))
        .order_by("hinted_at", "pk")
    )
    shards = list(waiting[:SHARDS_AT_ONCE].values_list("pk", flat=True))
    RankingShard.objects.filter(pk__in=shards).update(hinted_at=now)
    for shard in shards:
        dispatch.after_commit(dispatch.RANK_SHARD, shard_id=shard)
    return len(shards)
