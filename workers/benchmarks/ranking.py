"""How fast a pool is ranked, by the very code of the task, against the network's bare forward.

Everything is measured in turns, a shard and then as many bare forwards: whatever else the machine
does hits them alike.
"""

import os
import resource
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from django.db import connection
from django.utils import timezone
from numpy.typing import NDArray

from classifier.config import TrainConfig
from classifier.model import build
from labelhub.projects.commands import progress
from labelhub.rounds.models import ModelVersion
from workers.benchmarks.bare import Arrangement, Bare
from workers.benchmarks.pool import make_pool, serve_untrained, vote_on
from workers.ranking import SHARD_IMAGES, Done, rank_shard

PEOPLE = 3  # who voted on each image, where images have votes
MEGABYTE = 1e6


def measure_ranking(*, images: int) -> dict[str, object]:
    """The JSON result of ``bench_ranking``, in this process's empty database and folder."""
    project = make_pool(images=images, now=timezone.now())
    before = _database_bytes()
    first = serve_untrained(project=project, number=1, now=timezone.now())
    network = partial(build, TrainConfig.from_dict(first.config))
    limit = Bare(network, _noise(min(images, SHARD_IMAGES), project.image_size))
    tried = [limit.best(side_by_side=one) for one in (True, False)]
    from_files = _ranked(first, limit, tried)  # no shard of pixels is there yet
    written = _database_bytes() - before
    second = serve_untrained(project=project, number=2, now=timezone.now())
    from_shards = _ranked(second, limit, tried)
    shard = list(project.images.order_by("pk").values_list("pk", flat=True)[:SHARD_IMAGES])
    vote_on(project=project, images=shard, people=PEOPLE, now=timezone.now())
    third = serve_untrained(project=project, number=3, now=timezone.now())
    voted = _ranked(third, limit, tried, shards=1)
    return {
        **from_shards.to_dict(""),
        **from_files.to_dict("from_files_"),
        **voted.to_dict("voted_"),
        "images": images,
        "recipe": first.recipe,
        "limits": [
            {**one.to_dict(), "images_per_second": round(from_shards.bare_rate(one), 1)}
            for one in tried
        ],
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "rss_grown_mb": round(from_shards.rss_grown / MEGABYTE, 1),
        "database_bytes_an_image": round(written / images),
        "database": connection.vendor,
    }


@dataclass
class Turns:
    """A ranking, and as many bare forwards in turns with it."""

    done: list[Done] = field(default_factory=list)
    bare: list[dict[Arrangement, float]] = field(default_factory=list)  # seconds, a turn
    bare_images: int = 0  # a turn
    rss: list[int] = field(default_factory=list)  # bytes, after each shard

    @property
    def rss_grown(self) -> int:
        """Bytes that memory grew by after the first shard."""
        return self.rss[-1] - self.rss[0]

    def bare_rate(self, arrangement: Arrangement) -> float:
        """Images a second of the bare forward, arranged so, over all turns."""
        took = sum(turn[arrangement] for turn in self.bare)
        return self.bare_images * len(self.bare) / took

    def to_dict(self, prefix: str) -> dict[str, object]:
        """Images a second by the sum of all turns, against the arrangement that was quicker by it;
        the ratio also of the median turn."""
        images = sum(one.images for one in self.done)
        predicted = sum(one.predicting for one in self.done)
        whole = predicted + sum(one.believing for one in self.done)
        quickest = max(self.bare[0], key=self.bare_rate)
        limit = self.bare_rate(quickest)
        by_turn = [
            (one.images / one.predicting) / (self.bare_images / turn[quickest])
            for one, turn in zip(self.done, self.bare, strict=True)
        ]
        return {
            f"{prefix}images_per_second": round(images / predicted, 1),
            f"{prefix}to_queues_images_per_second": round(images / whole, 1),
            f"{prefix}limit_images_per_second": round(limit, 1),
            f"{prefix}ratio": round(images / predicted / limit, 3),
            f"{prefix}ratio_of_the_median_turn": round(float(np.median(by_turn)), 3),
            f"{prefix}ratio_to_queues": round(images / whole / limit, 3),
        }


def _ranked(
    version: ModelVersion, limit: Bare, tried: list[Arrangement], *, shards: int | None = None
) -> Turns:
    """Rank a version's shards, or the first few, as the workers do."""
    turns = Turns(bare_images=limit.images)
    rows = list(version.ranking_shards.order_by("number").values_list("pk", flat=True)[:shards])
    with progress(f"shards ranked by {version}", total=len(rows)) as forward:
        for shard in rows:
            turns.done.append(rank_shard(shard_id=shard, clock=timezone.now))
            turns.rss.append(_rss_bytes())
            turns.bare.append({one: limit.run(one) for one in tried})
            forward(1)
    return turns


def _noise(images: int, edge: int) -> NDArray[np.uint8]:
    """(images, edge, edge, 3) pictures of noise."""
    return np.random.default_rng(0).integers(0, 256, (images, edge, edge, 3), dtype=np.uint8)


def _rss_bytes() -> int:
    """What this process holds in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _database_bytes() -> int:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Path(str(connection.settings_dict["NAME"])).stat().st_size
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])
