"""Letters through the broker: each is taken once, waited for a little, and forgotten by itself."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from labelhub.rounds import mailbox as mailboxes
from labelhub.rounds.mailbox import (
    PREFIX,
    BrokerMailbox,
    Mailbox,
    MailboxAway,
    MemoryMailbox,
    mailbox_of,
)
from labelhub.supervision.broker import answers_ping, broker_client, broker_spec
from labelhub.supervision.places import broker_url
from tests.supervision.conftest import wait_until

LONG = 20.0  # a test that needs it has failed
SHORT = 0.01


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the embedded broker, running."""
    data_dir = tmp_path_factory.mktemp("broker") / "data"
    spec = broker_spec(data_dir)
    server = subprocess.Popen(spec.command, stdout=subprocess.DEVNULL)
    try:
        url = broker_url(data_dir)
        wait_until(lambda: answers_ping(url), what="the broker answers")
        yield url
    finally:
        server.terminate()
        server.wait(timeout=LONG)


@pytest.fixture
def keys(broker: str) -> Iterator[redis.Redis]:
    """A look at what the broker holds."""
    client = broker_client(broker, seconds=LONG)
    client.flushdb()
    yield client
    client.close()


@pytest.fixture(params=["broker", "memory"])
def mailbox(request: pytest.FixtureRequest) -> Mailbox:
    if request.param == "memory":
        return MemoryMailbox()
    request.getfixturevalue("keys")
    return BrokerMailbox(request.getfixturevalue("broker"))


def test_a_letter_is_taken_once_byte_for_byte(mailbox: Mailbox) -> None:
    data = bytes(range(256)) * 1000
    mailbox.put("ada", data, seconds=LONG)
    assert mailbox.take("bob", seconds=SHORT) is None
    assert mailbox.take("ada") == data
    assert mailbox.take("ada") is None
    assert mailbox.take("ada", seconds=SHORT) is None


def test_a_letter_that_comes_later_is_waited_for(mailbox: Mailbox) -> None:
    found: list[bytes | None] = []
    waiting = threading.Thread(target=lambda: found.append(mailbox.take("ada", seconds=LONG)))
    waiting.start()
    mailbox.put("ada", b"hello", seconds=LONG)
    waiting.join(LONG)
    assert found == [b"hello"]


def test_the_broker_forgets_a_letter_that_nobody_takes(broker: str, keys: redis.Redis) -> None:
    BrokerMailbox(broker).put("ada", b"hello", seconds=7.5)
    assert 7000 < keys.pttl(f"{PREFIX}ada") <= 7500


def test_nothing_is_left_of_a_letter_that_was_taken(broker: str, keys: redis.Redis) -> None:
    mailbox = BrokerMailbox(broker)
    mailbox.put("ada", b"hello", seconds=LONG)
    assert mailbox.take("ada", seconds=LONG) == b"hello"
    assert keys.dbsize() == 0


def test_a_letter_in_memory_is_forgotten_too() -> None:
    now = [0.0]
    mailbox = MemoryMailbox(clock=lambda: now[0])
    mailbox.put("ada", b"hello", seconds=10)
    now[0] = 11.0
    assert mailbox.take("ada") is None
    mailbox.put("ada", b"old", seconds=10)
    now[0] = 30.0
    mailbox.put("bob", b"new", seconds=10)
    assert list(mailbox._letters) == ["bob"]


def test_messages_that_wait_in_a_queue_are_counted(broker: str, keys: redis.Redis) -> None:
    keys.rpush("inference", b"{}", b"{}", b"{}")
    assert BrokerMailbox(broker).waiting("inference") == 3
    assert BrokerMailbox(broker).waiting("training") == 0


def test_a_broker_that_is_away_or_full_is_said_to_be(
    broker: str, keys: redis.Redis, tmp_path: Path
) -> None:
    away = BrokerMailbox(broker_url(tmp_path))
    for command in (
        lambda: away.put("ada", b"hello", seconds=LONG),
        lambda: away.take("ada"),
        lambda: away.take("ada", seconds=LONG),
        lambda: away.waiting("inference"),
    ):
        with pytest.raises(MailboxAway):
            command()
    keys.config_set("maxmemory", "1")
    try:
        with pytest.raises(MailboxAway, match="maxmemory"):
            BrokerMailbox(broker).put("ada", b"hello", seconds=LONG)
    finally:
        keys.config_set("maxmemory", "0")


def test_each_broker_has_one_mailbox_in_a_process(broker: str) -> None:
    mailboxes.mailbox_of.cache_clear()
    assert isinstance(mailbox_of("memory://localhost"), MemoryMailbox)
    assert mailbox_of("memory://localhost") is mailbox_of("memory://localhost")
    assert isinstance(mailbox_of(broker), BrokerMailbox)
    assert isinstance(mailbox_of("redis://:word@broker:6379/0"), BrokerMailbox)
