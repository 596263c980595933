"""How fast grids are served and answered, against what Django alone costs here, in one run."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from labelhub.benchmarks.floor import ROWS
from labelhub.benchmarks.postgres import postgres_url
from labelhub.benchmarks.visitors import Load, Times, bare, labelling
from labelhub.supervision.standard import Site, standard_specs

SLUG = "benchmark"
TILES = 9
WARM_UP = 64
PARTS = 4
START_SECONDS = 30.0


@dataclass(frozen=True)
class ServingOptions:
    """What to measure. ``database`` is sqlite or postgres."""

    images: int
    grids: int
    concurrency: int
    database: str
    port: int


def measure_serving(options: ServingOptions) -> dict[str, object]:
    """The JSON result of ``bench_serving``; makes and removes its own folder and database."""
    with ExitStack() as cleanup:
        folder = Path(tempfile.mkdtemp(prefix="lh-bench-"))
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        url = f"sqlite:///{folder}/db.sqlite3"
        if options.database == "postgres":
            url = cleanup.enter_context(postgres_url())
        environment = {**os.environ, "DATA_DIR": str(folder), "DATABASE_URL": url}
        _run(environment, "manage.py", "migrate", "--verbosity=0")
        _run(environment, "manage.py", "collectstatic", "--noinput", "--verbosity=0")
        _run(environment, "manage.py", "bench_corpus", str(options.images))
        return cleanup.enter_context(_measured(options, folder, environment))


def _run(environment: dict[str, str], *arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], cwd=settings.BASE_DIR, env=environment, check=True)  # noqa: S603  our own commands


@contextmanager
def _measured(
    options: ServingOptions, folder: Path, environment: dict[str, str]
) -> Iterator[dict[str, object]]:
    with _web_process(options, folder, environment) as server:
        visitors, floor_clients = (Load(options.port, options.concurrency) for _ in range(2))
        warm, _ = visitors.run(labelling(SLUG), WARM_UP)
        if not warm.cycles:
            raise RuntimeError(f"no cycle succeeded: {warm.errors[:3]}")
        size = round(statistics.mean(warm.sheet_bytes))
        product, floor, in_two, without = (Series(server.pid) for _ in range(4))
        part = -(-options.grids // PARTS)
        for _ in range(PARTS):  # in turns: whatever else this machine does hits them alike
            product.add(lambda: visitors.run(labelling(SLUG), part))
            floor.add(lambda: floor_clients.run(bare(size, ROWS), part))
            in_two.add(lambda: floor_clients.run(bare(size, ROWS, in_two=True), part))
            without.add(lambda: visitors.run(labelling(SLUG, with_tiles=False), part))
        rss = _largest_rss_mb(server.pid)
    errors = [e for series in (product, floor, in_two, without) for e in series.times.errors]
    yield {
        "grids_per_second": round(product.rate, 1),
        "judgements_per_second": round(TILES * product.rate, 1),
        **_percentiles(product.times),
        "errors": len(errors),
        "floor_grids_per_second": round(floor.rate, 1),
        "ratio": round(product.rate / floor.rate, 3),
        "floor_in_two_requests_per_second": round(in_two.rate, 1),
        "ratio_in_two_requests": round(product.rate / in_two.rate, 3),
        "rss_mb": rss,
        "cycles_without_tiles_per_second": round(without.rate, 1),
        "web_cpu_ms_per_grid": round(product.cpu_ms, 2),
        "web_cpu_ms_per_floor_cycle": round(floor.cpu_ms, 2),
        "sheet_bytes": size,
        "images": options.images,
        "database": options.database,
        "concurrency": options.concurrency,
        "first_errors": errors[:3],
    }


@dataclass
class Series:
    """One kind of cycle, run in several parts: its times, and what it cost the server."""

    server: int
    times: Times = field(default_factory=Times)
    seconds: float = 0.0
    processor: float = 0.0

    def add(self, run: Callable[[], tuple[Times, float]]) -> None:
        """Run one more part."""
        before = _processor_seconds(self.server)
        times, took = run()
        self.processor += _processor_seconds(self.server) - before
        self.seconds += took
        self.times.add(times)

    @property
    def rate(self) -> float:
        """Cycles a second. Raises RuntimeError when none succeeded."""
        if not self.times.cycles:
            raise RuntimeError(f"no cycle succeeded: {self.times.errors[:3]}")
        return len(self.times.cycles) / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Processor time of the server for one cycle."""
        return 1000 * self.processor / len(self.times.cycles)


@contextmanager
def _web_process(
    options: ServingOptions, folder: Path, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """The web process exactly as the product runs it, with the floor's addresses beside its own."""
    site = Site(
        base_dir=settings.BASE_DIR,
        data_dir=folder,
        redis_url=settings.REDIS_URL,
        port=options.port,
    )
    web = next(spec for spec in standard_specs(site) if spec.name == "web")
    extra = {"DJANGO_SETTINGS_MODULE": "labelhub.benchmarks.settings"}
    server = subprocess.Popen(  # noqa: S603  our own command
        web.command, cwd=settings.BASE_DIR, env={**environment, **web.env, **extra}
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while web.ready is not None and not web.ready():
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the web process did not start; its own words are above")
            time.sleep(0.1)
        yield server
    finally:
        server.terminate()
        server.wait(timeout=START_SECONDS)


def _percentiles(times: Times) -> dict[str, float]:
    cuts = statistics.quantiles(times.cycles, n=100) if len(times.cycles) > 1 else [0.0] * 99
    return {f"p{part}_ms": round(1000 * cuts[part - 1], 2) for part in (50, 95, 99)}


def _largest_rss_mb(parent: int) -> float:
    """Resident memory of the largest process among a server and its children."""
    pages = [int((process / "statm").read_text().split()[1]) for process in _family(parent)]
    return round(max(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def _processor_seconds(parent: int) -> float:
    """Time on a processor, user and system, of a server and its children so far."""
    ticks = 0
    for process in _family(parent):
        fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _family(parent: int) -> list[Path]:
    """The folders under /proc of a process and its children."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [Path("/proc") / str(pid) for pid in (parent, *children)]
