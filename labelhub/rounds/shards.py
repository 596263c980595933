"""Writes of a ranking: its shards are written, taken by workers, finished, or given back.

A shard may be ranked twice at no harm, so a lease on it has no fence: it only keeps two workers
from doing the same work at once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from labelhub.rounds import dispatch
from labelhub.rounds.models import ModelVersion, RankingShard, Round

SHARD_LEASE = timedelta(seconds=30)
MOST_TRIES = 5  # of one shard, after which nobody tries again


def start_ranking(
    *, model_version: ModelVersion, shards: Sequence[tuple[int, int]], now: datetime
) -> None:
    """Write the shards of a ranking and send them after the commit. Earlier ones are forgotten."""
    with transaction.atomic():
        model_version.ranking_shards.all().delete()
        rows = RankingShard.objects.bulk_create(
            RankingShard(
                model_version=model_version,
                number=number,
                first_image=first,
                last_image=last,
                hinted_at=now,
            )
            for number, (first, last) in enumerate(shards)
        )
        for row in rows:
            dispatch.after_commit(dispatch.RANK_SHARD, shard_id=row.pk)


def take_shard(*, shard_id: int, now: datetime) -> RankingShard | None:
    """Take hold of a shard that waits; None when it is done, held, hopeless or of no use."""
    free = Q(leased_until=None) | Q(leased_until__lte=now)
    shards = RankingShard.objects.filter(pk=shard_id)
    shard = shards.select_related("model_version__project").first()
    if shard is None or not shard.model_version.serving:
        return None
    waiting = shards.filter(free, finished_at=None, tries__lt=MOST_TRIES)
    held = waiting.update(leased_until=now + SHARD_LEASE, tries=F("tries") + 1)
    return shard if held else None


def keep_shard(*, shard: RankingShard, now: datetime) -> None:
    """Heartbeat."""
    RankingShard.objects.filter(pk=shard.pk).update(leased_until=now + SHARD_LEASE)


def give_back_shard(*, shard: RankingShard, trouble: str) -> None:
    """Let others try a shard, and note what ended this try."""
    RankingShard.objects.filter(pk=shard.pk).update(leased_until=None, trouble=trouble)


def finish_shard(*, shard: RankingShard, now: datetime) -> None:
    """Note a shard as ranked; the last one closes the Round."""
    with transaction.atomic():
        # Two last shards at once would each see the other unfinished: one after the other.
        ModelVersion.objects.select_for_update().get(pk=shard.model_version_id)
        RankingShard.objects.filter(pk=shard.pk, finished_at=None).update(finished_at=now)
        shards = RankingShard.objects.filter(model_version_id=shard.model_version_id)
        total, left = shards.count(), shards.filter(finished_at=None).count()
        ranking = Round.objects.filter(
            model_version=shard.model_version_id, state=Round.State.RANKING
        )
        if left:
            stage = {"stage": Round.State.RANKING.label, "fraction": round(1 - left / total, 3)}
            ranking.update(progress=stage)
            return
        for row in ranking:
            took = (now - row.model_version.created_at).total_seconds()
            ranking.update(
                state=Round.State.DONE,
                finished_at=now,
                progress={"stage": Round.State.DONE.label, "fraction": 1.0},
                seconds={**row.seconds, "rank": round(took, 2)},
            )


def hopeless_shard(*, model_version: ModelVersion, now: datetime) -> RankingShard | None:
    """A shard that was tried as often as it may be, and that nobody is at any more."""
    free = Q(leased_until=None) | Q(leased_until__lte=now)
    tried = model_version.ranking_shards.filter(free, finished_at=None, tries__gte=MOST_TRIES)
    return tried.order_by("number").first()
