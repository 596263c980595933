"""What a worker's heartbeat says, and when it falls silent."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from celery.worker import state

from workers.heartbeat import BEAT_SECONDS, Heart, HeartStep


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_worker_beats_while_its_loop_turns_and_falls_silent_when_it_stands(
    tmp_path: Path,
) -> None:
    clock = Clock()
    heart = Heart(tmp_path / "default.alive", clock)
    clock.now = 2 * BEAT_SECONDS
    assert heart.beats()
    clock.now = 10 * BEAT_SECONDS
    assert not heart.beats()


def test_a_running_task_counts_as_life_however_long_it_holds_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    heart = Heart(tmp_path / "training.alive", clock)
    monkeypatch.setattr(state, "active_requests", {"a training"})
    clock.now = 10_000.0
    assert heart.beats()
    monkeypatch.setattr(state, "active_requests", set())
    assert not heart.beats()


def test_the_turns_are_counted_only_while_the_consumer_is_connected() -> None:
    told: list[str] = []
    timer = SimpleNamespace(
        call_repeatedly=lambda seconds, note: SimpleNamespace(cancel=lambda: told.append("cancel"))
    )
    consumer = SimpleNamespace(hostname="default@here", timer=timer, steps=[])
    step = HeartStep(consumer)
    step._heart = SimpleNamespace(note_turn=lambda: told.append("turn"))
    step.start(consumer)
    step.stop(consumer)
    step.stop(consumer)
    assert told == ["turn", "cancel"]
