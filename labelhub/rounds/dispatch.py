"""Work leaves the web process by name: the names of the tasks, their queues, and the one sender.

Nothing here imports a task. ``tests/architecture`` checks that every name is registered by the
worker that consumes its queue.
"""

DEFAULT_QUEUE = "default"
TRAINING_QUEUE = "training"
RANKING_QUEUE = "ranking"
QUEUES = (DEFAULT_QUEUE, TRAINING_QUEUE, RANKING_QUEUE)

TICK_SECONDS = 15

TICK = "workers.tick"
TRAIN_ROUND = "workers.train_round"
RANK_SHARD = "workers.rank_shard"

QUEUE_OF = {
    TICK: {"queue": DEFAULT_QUEUE},
    TRAIN_ROUND: {"queue": TRAINING_QUEUE},
    RANK_SHARD: {"queue": RANKING_QUEUE},
}
