"""The services of docker-compose.yml as plain processes: their own commands, environments and
health checks, with the places of the containers put elsewhere."""

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from labelhub.supervision.broker import server_program
from tests.production.files import ROOT, image_environment, own_services, services

_CHECK_SECONDS = 20
_PLACE = re.compile(
    r"/run/secrets\b|/data\b|0\.0\.0\.0:8000|\b8000\b|:18EB\b|/proc/1/task/1/children"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """Redis and our services over one folder; SQLite stands in for PostgreSQL."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.web_port, self.redis_port = free_port(), free_port()
        self.password = secrets.token_urlsafe(24)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: list[IO[bytes]] = []
        for name in ("data", "redis", "secrets", "static"):
            (folder / name).mkdir()
        self._write_secrets()

    def _write_secrets(self) -> None:
        kept = {
            "secret_key": secrets.token_urlsafe(64),
            "database_url": f"sqlite:///{self.folder}/db.sqlite3",
            "redis_url": f"redis://:{self.password}@127.0.0.1:{self.redis_port}/0",
            "redis.conf": f"requirepass {self.password}",
        }
        for name, value in kept.items():
            (self.folder / "secrets" / name).write_text(value + "\n")

    def moved(self, text: str, *, service: str) -> str:
        """A text of the compose file with this machine's places and ports."""
        places = {
            "/run/secrets": f"{self.folder}/secrets",
            "/data": f"{self.folder}/{'redis' if service == 'redis' else 'data'}",
            "0.0.0.0:8000": f"127.0.0.1:{self.web_port}",
            "8000": str(self.web_port),
            ":18EB": f":{self.redis_port:04X}",
            "/proc/1/task/1/children": f"{self.folder}/children",
        }
        return _PLACE.sub(lambda found: places[found.group()], text)

    def environment(self, name: str) -> dict[str, str]:
        """What the container of a service would see, and nothing of the test's own environment."""
        given = {**image_environment(), **own_services()[name]["environment"]}
        moved = {key: self.moved(value, service=name) for key, value in given.items()}
        moved["LABELHUB_STATIC_DIR"] = f"{self.folder}/static"
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**moved, "PATH": path, "HOME": "/nonexistent", "LANG": "C.UTF-8"}

    def once(self, name: str) -> None:
        """Run a service that ends."""
        command = own_services()[name]["command"]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment(name), capture_output=True, check=False
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode()

    def collect_static(self, command: str) -> None:
        """Run the build's own step."""
        settings = {"LABELHUB_MODE": "production", "LABELHUB_STATIC_DIR": f"{self.folder}/static"}
        path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=ROOT,
            env={**settings, **path},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode()

    def start(self, name: str) -> None:
        """Start a service in the background."""
        command = [self.moved(word, service=name) for word in services()[name]["command"]]
        if name == "redis":
            command = [server_program(), *command[1:], "--port", str(self.redis_port)]
        log = self.log(name).open("wb")
        self._logs.append(log)
        self.processes[name] = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.environment(name) if name in own_services() else dict(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def is_healthy(self, name: str) -> bool:
        """The answer of the service's own health check."""
        kind, *words = own_services()[name]["healthcheck"]["test"]
        words = [self.moved(word, service=name) for word in words]
        assert "/proc/1/" not in " ".join(words), "a check must never touch this machine's own"
        done = subprocess.run(
            ["sh", "-c", *words] if kind == "CMD-SHELL" else words,
            env=self.environment(name),
            capture_output=True,
            timeout=_CHECK_SECONDS,
            check=False,
        )
        return done.returncode == 0

    def wait_until_healthy(self, name: str, *, seconds: float = 60.0) -> None:
        pause, deadline = threading.Event(), time.monotonic() + seconds
        while not self.is_healthy(name):
            assert self.processes[name].poll() is None, self.log(name).read_text()
            assert time.monotonic() < deadline, f"{name}: {self.log(name).read_text()}"
            pause.wait(0.3)

    def wait_for_end(self, name: str, *, seconds: float = 15.0) -> int:
        return self.processes[name].wait(seconds)

    def stop(self) -> Mapping[str, int]:
        """SIGTERM to all, the broker last; the exit codes. What does not end in time is killed."""
        codes = {}
        for name, process in sorted(self.processes.items(), key=lambda item: item[0] == "redis"):
            process.send_signal(signal.SIGTERM)
            try:
                codes[name] = process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                codes[name] = process.wait()
        for log in self._logs:
            log.close()
        return codes
