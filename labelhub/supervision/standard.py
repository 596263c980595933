"""The processes of a LabelHub on one machine: broker, web, four workers, and the clock."""

import http.client
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from labelhub.supervision.broker import answers_ping, broker_spec
from labelhub.supervision.places import broker_url, heartbeat_file, run_folder
from labelhub.supervision.specs import Heartbeat, ProcessSpec

# Five lines a worker about running as root would bury the first page's address in a container.
_NO_ROOT_LECTURE = "ignore:You're running the worker with superuser privileges"
_CELERY = (
    *(sys.executable, "-W", _NO_ROOT_LECTURE, "-m", "celery"),
    *("--quiet", "-A", "labelhub.celery"),
)
_TRAINING_NICENESS = 10
_ANSWER_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where and for whom the processes run. ``environment`` is given to each of them."""

    base_dir: Path  # the folder of manage.py
    data_dir: Path
    redis_url: str
    bind: str = "127.0.0.1"
    port: int = 8000
    web_processes: int = 2
    web_threads: int = 4  # for slow requests; quick ones take turns: see serving
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_own_broker(self) -> bool:
        """Whether the broker is ours to start and stop."""
        return self.redis_url == broker_url(self.data_dir)

    @property
    def url(self) -> str:
        """The address of the first page for somebody on this machine."""
        return f"http://{self.host}:{self.port}/"

    @property
    def host(self) -> str:
        """The name by which this machine reaches the web process."""
        return "127.0.0.1" if self.bind == "0.0.0.0" else self.bind  # noqa: S104  a comparison


def standard_specs(site: Site) -> list[ProcessSpec]:
    """Every process of the site, in the order of their start.

    Web starts before the workers: a person waits for a page, and nobody for a worker. Raises
    NoBroker or PermissionError when the embedded broker cannot be started.
    """
    broker = [broker_spec(site.data_dir)] if site.has_own_broker else []
    specs = [
        _web(site),
        _worker(site, "default", modules="workers.tasks"),
        _worker(site, "training", modules="workers.torch_tasks", nice=_TRAINING_NICENESS),
        _worker(site, "ranking", modules="workers.torch_tasks"),
        # Before training in every queue for a core: somebody waits for its answer.
        _worker(site, "inference", modules="workers.inference_tasks,workers.warming"),
        _beat(),
    ]
    env = {**site.environment, "DATA_DIR": str(site.data_dir)}
    needs_broker = tuple(spec.name for spec in broker)
    return broker + [
        replace(spec, env=env, cwd=site.base_dir, needs=spec.needs + needs_broker) for spec in specs
    ]


class PortTaken(Exception):
    """The web process could not listen where it is to listen."""


def look_for_free_port(site: Site) -> None:
    """Raises PortTaken when the web process could not listen, before anything is started."""
    family = socket.AF_INET6 if ":" in site.bind else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((site.bind, site.port))
        except OverflowError as error:
            raise PortTaken(f"{site.port} is no port: choose one from 1 to 65535") from error
        except OSError as error:
            raise PortTaken(
                f"cannot listen on {site.bind} port {site.port} ({error.strerror}): "
                "stop what listens there, or choose another port (PORT=, --port)"
            ) from error


def _web(site: Site) -> ProcessSpec:
    memory = Path("/dev/shm")  # noqa: S108  files without a name: a slow disk never looks like a hang
    beats = memory if memory.is_dir() else run_folder(site.data_dir)
    options = {
        "bind": f"{site.bind}:{site.port}",
        "worker-class": "labelhub.supervision.serving.Worker",
        "workers": str(site.web_processes),
        "threads": str(site.web_threads),
        "keep-alive": "15",
        "graceful-timeout": "4",
        "worker-tmp-dir": str(beats),
        "log-level": "warning",
    }
    arguments = (f"--{name}={value}" for name, value in options.items())
    return ProcessSpec(
        name="web",
        command=(
            *(sys.executable, "-m", "gunicorn", "labelhub.wsgi"),
            *("--no-control-socket", *arguments),
        ),
        ready=partial(answers_http, site.host, site.port),
    )


def _worker(site: Site, queue: str, *, modules: str, nice: int = 0) -> ProcessSpec:
    return ProcessSpec(
        name=queue,
        command=(
            *(*_CELERY, "worker", "-P", "solo", "-Q", queue, "-n", f"{queue}@%h"),
            *("-I", f"{modules},workers.heartbeat", "-l", "INFO"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ),
        nice=nice,
        needs=("web",),
        heartbeat=Heartbeat(
            path=heartbeat_file(site.data_dir, queue),
            # A broker that is away silences every worker, and a restart would not help them.
            judged_while=partial(answers_ping, site.redis_url),
        ),
    )


def _beat() -> ProcessSpec:
    """The clock keeps its schedule in memory: no file to corrupt, to lock, or to be left behind."""
    return ProcessSpec(
        name="beat",
        command=(
            *_CELERY,
            "beat",
            "--scheduler",
            "celery.beat:Scheduler",
            "--pidfile=",
            "-l",
            "WARNING",
        ),
        needs=("default",),
    )


def answers_http(host: str, port: int) -> bool:
    """Whether a web process answers there at all; what it answers is not judged."""
    connection = http.client.HTTPConnection(host, port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/", headers={"Connection": "close"})
        return connection.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
