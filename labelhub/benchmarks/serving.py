"""How fast grids are served and answered, against what Django alone costs here, in one run."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from labelhub.benchmarks.floor import ROWS
from labelhub.benchmarks.postgres import postgres_url
from labelhub.benchmarks.visitors import Load, Times, bare, labelling
from labelhub.supervision.standard import Site, standard_specs

SLUG = "benchmark"
TILES = 9
WARM_UP = 64
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
        Load(options.port, WARM_UP, options.concurrency).run(labelling(SLUG))
        load = Load(options.port, options.grids, options.concurrency)
        half = Load(options.port, max(1, options.grids // 2), options.concurrency)
        before = _processor_seconds(server.pid)
        product, seconds = load.run(labelling(SLUG))
        product_cpu = _processor_seconds(server.pid) - before
        if not product.cycles:
            raise RuntimeError(f"no cycle succeeded: {product.errors[:3]}")
        size = round(statistics.mean(product.sheet_bytes))
        floors = [half.run(bare(size, ROWS)) for _ in range(2)]
        floor_cpu = _processor_seconds(server.pid) - before - product_cpu
        without, without_seconds = half.run(labelling(SLUG, with_tiles=False))
        rss = _largest_rss_mb(server.pid)
    floor_cycles = sum(len(times.cycles) for times, _ in floors)
    floor_rate = floor_cycles / sum(took for _, took in floors)
    errors = [e for times in (product, without, *(f for f, _ in floors)) for e in times.errors]
    rate = len(product.cycles) / seconds
    yield {
        "grids_per_second": round(rate, 1),
        "judgements_per_second": round(TILES * rate, 1),
        **_percentiles(product),
        "errors": len(errors),
        "floor_grids_per_second": round(floor_rate, 1),
        "ratio": round(rate / floor_rate, 3),
        "rss_mb": rss,
        "cycles_without_tiles_per_second": round(len(without.cycles) / without_seconds, 1),
        "web_cpu_ms_per_grid": round(1000 * product_cpu / len(product.cycles), 2),
        "web_cpu_ms_per_floor_cycle": round(1000 * floor_cpu / max(1, floor_cycles), 2),
        "sheet_bytes": size,
        "images": options.images,
        "database": options.database,
        "concurrency": options.concurrency,
        "first_errors": errors[:3],
    }


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
