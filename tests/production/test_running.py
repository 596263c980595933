"""What docker-compose.yml starts really starts: its own commands as processes, over a real broker
with a password, judged by its own health checks."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.production.files import dockerfile
from tests.production.stack import Stack


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path)
    yield made
    made.stop()


def wait_for_broker(stack: Stack, **account: str) -> redis.Redis:
    client = redis.Redis(
        port=stack.redis_port,
        retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.1), 100),
        retry_on_error=[redis.ConnectionError],
        **account,
    )
    client.ping()
    return client


def test_broker_keeps_messages_on_disk_and_asks_for_its_password(stack: Stack) -> None:
    stack.start("redis")
    client = wait_for_broker(stack, password=stack.password)
    assert client.config_get("appendonly") == {"appendonly": "yes"}
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    client.close()
    with (
        redis.Redis(port=stack.redis_port) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_the_whole_site_comes_up_healthy_and_ends_when_told(stack: Stack) -> None:
    (collect,) = (rest for word, rest in dockerfile() if word == "RUN" and "collectstatic" in rest)
    stack.collect_static(collect)
    stack.once("migrate")
    stack.start("redis")
    wait_for_broker(stack, password=stack.password).close()
    assert not stack.is_healthy("beat")
    stack.start("beat")
    stack.start("web")
    stack.wait_until_healthy("web")
    stack.wait_until_healthy("beat")
    stack.start("default-worker")
    stack.wait_until_healthy("default-worker")
    assert stack.password not in "".join(
        Path(f"/proc/{process.pid}/cmdline").read_text() for process in stack.processes.values()
    )
    codes = stack.stop()
    assert {name: codes[name] for name in ("web", "default-worker")} == {
        "web": 0,
        "default-worker": 0,
    }


def test_a_worker_that_has_been_silent_for_a_minute_is_ended(stack: Stack) -> None:
    """Other processes stand in for the worker, and for its neighbour who must be left alone."""
    beat = stack.folder / "data" / "run" / "ranking.alive"
    beat.parent.mkdir()
    stack.processes = {name: _sleeper() for name in ("early", "late", "neighbour")}

    assert not stack.is_healthy("ranking-worker"), "it has not said anything yet"
    beat.touch()
    assert stack.is_healthy("ranking-worker")
    (stack.folder / "children").write_text(f"{stack.processes['early'].pid} ")
    _age(beat, seconds=40)
    assert not stack.is_healthy("ranking-worker")
    (stack.folder / "children").write_text(f"{stack.processes['late'].pid} ")
    _age(beat, seconds=70)
    assert not stack.is_healthy("ranking-worker")
    assert stack.wait_for_end("late") == -9
    assert stack.processes["early"].poll() is None, "40 seconds were no reason yet"
    assert stack.processes["neighbour"].poll() is None


def _sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "600"])


def _age(path: Path, *, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))
