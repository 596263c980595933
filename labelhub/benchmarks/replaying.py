"""How long a replay takes for whoever waits for it: real server, broker and workers, with and
without a training beside them."""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from labelhub.benchmarks.visitors import Connection
from labelhub.supervision.places import broker_url, heartbeat_file
from labelhub.supervision.process import tied
from labelhub.supervision.standard import answers_http

RECIPES = ("seed", "features")
ADMIN, SECRET = "ada", "only-for-this-benchmark"
WAIT_SECONDS = 120.0
GOAL_MS = 150
FIRST_STEPS, LOAD_STEPS = 60, 2000  # of the trainings that make a network, and that are the load
_SET_STEPS = "from labelhub.projects.models import Project; Project.objects.update({}={})"
_TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="([^"]+)"')
_IMAGE = re.compile(rb'name="image-a" value="(\d+)"')


@dataclass(frozen=True)
class ReplayOptions:
    """What to measure: so many replays of each recipe, of a network taught by so many pictures."""

    replays: int
    pictures: int
    port: int


def measure_replay(options: ReplayOptions) -> dict[str, Any]:
    """The JSON result of ``bench_replay``; makes and removes its own folder, database and broker.

    Raises RuntimeError when something does not come about.
    """
    folder = Path(tempfile.mkdtemp(prefix="lh-bench-"))
    try:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "REDIS_URL"},
            "DATA_DIR": str(folder),
            "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
            "REDIS_URL": broker_url(folder),
            "DJANGO_SUPERUSER_PASSWORD": SECRET,
        }
        _prepare(options, folder, environment)
        with _site(options, folder, environment):
            admin = _signed_in(options.port)
            idle = {recipe: _timed(admin, recipe, options.replays) for recipe in RECIPES}
            _begin_training(admin)
            busy = {recipe: _timed(admin, recipe, options.replays) for recipe in RECIPES}
            if _state(admin) != "training":
                raise RuntimeError("the training was over too soon: ask for fewer --replays")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "replays": options.replays,
        "pictures": options.pictures,
        "goal_ms": GOAL_MS,
        "idle": idle,
        "while_training": busy,
        "cores": os.cpu_count(),
    }


def _prepare(options: ReplayOptions, folder: Path, environment: dict[str, str]) -> None:
    """A project of each recipe with a version in service."""
    pictures = str(folder / "shapes.npz")

    def run(*arguments: str) -> None:
        subprocess.run(  # noqa: S603  our own commands
            [sys.executable, *arguments],
            cwd=settings.BASE_DIR,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    run("-m", "fixtures.shapes", pictures, "--count", str(options.pictures), "--junk-share", "0")
    run("manage.py", "migrate", "--verbosity=0")
    run("manage.py", "createsuperuser", "--noinput", f"--username={ADMIN}", "--email=a@b.example")
    classes = "circle,cross,square,triangle,star,ring"
    for recipe in RECIPES:
        made = ("--classes", classes, "--recipe", recipe)
        run("manage.py", "create_project", recipe, *made)
        run("manage.py", "import_images", recipe, pictures, "--gold")
    shell = ("manage.py", "shell", "--no-imports", "--verbosity=0", "-c")
    run(*shell, _SET_STEPS.format("training_steps", FIRST_STEPS))
    for recipe in RECIPES:
        run("manage.py", "run_round", recipe, "--wait")
    run(*shell, _SET_STEPS.format("training_steps", LOAD_STEPS))


@contextmanager
def _site(options: ReplayOptions, folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """The whole site, as ``make run`` starts it."""
    command = [sys.executable, "manage.py", "supervise", "--port", str(options.port)]
    with (folder / "site.log").open("wb") as log:
        site = subprocess.Popen(  # noqa: S603  our own command
            tied(command),
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_for(lambda: answers_http("127.0.0.1", options.port), "the web process answers")
            _wait_for(heartbeat_file(folder, "inference").exists, "the inference worker beats")
            _wait_for(heartbeat_file(folder, "training").exists, "the training worker beats")
            yield
        finally:
            site.terminate()
            site.wait(timeout=WAIT_SECONDS)


def _wait_for(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {WAIT_SECONDS:.0f} s: {what}")
        time.sleep(0.1)


def _signed_in(port: int) -> Connection:
    admin = Connection(port, seed=0)
    _read_token(admin, "/login/")
    admin.post("/login/", [("username", ADMIN), ("password", SECRET)])
    return admin


def _read_token(admin: Connection, path: str) -> None:
    found = _TOKEN.search(admin.get(path))
    if found is None:
        raise RuntimeError(f"{path} has no form")
    admin.token = found[1].decode()


def _timed(admin: Connection, recipe: str, replays: int) -> dict[str, float]:
    """Milliseconds of so many replays after one another, each of another picture."""
    images = [int(found) for found in _IMAGE.findall(admin.get(f"/dashboard/{recipe}/replay/"))]
    if not images:
        raise RuntimeError(f"project {recipe} has no picture to replay")
    took, size = [], 0
    for place in range(replays):
        path = f"/dashboard/{recipe}/replay/data?image={images[place % len(images)]}"
        started = time.perf_counter()
        size = len(admin.get(path))
        took.append(1000 * (time.perf_counter() - started))
    cuts = statistics.quantiles(took, n=100)
    return {
        "p50_ms": round(cuts[49], 1),
        "p95_ms": round(cuts[94], 1),
        "first_ms": round(took[0], 1),
        "longest_ms": round(max(took), 1),
        "bytes": size,
    }


def _begin_training(admin: Connection) -> None:
    """A Round of the recipe that trains longest; on both cores, as a Round does."""
    recipe = RECIPES[0]
    _read_token(admin, f"/dashboard/{recipe}/")
    admin.post(f"/dashboard/{recipe}/run/", [])
    _wait_for(lambda: _state(admin) == "training", "a training begins")


def _state(admin: Connection) -> str:
    stats = json.loads(admin.get(f"/dashboard/{RECIPES[0]}/stats.json"))
    return str((stats["round"] or {}).get("state", ""))
