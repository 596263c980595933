"""The demo's own processes, beside those of every site."""

import sys
from datetime import datetime
from pathlib import Path

from labelhub.supervision.specs import ProcessSpec
from labelhub.supervision.standard import Site


def robots_spec(
    site: Site, *, project: str, truth: Path, count: int, pace: float, seed: int
) -> ProcessSpec:
    """Simulated visitors at the site's front door."""
    options = {
        "address": site.url,
        "project": project,
        "truth": str(truth),
        "count": str(count),
        "pace": f"{pace:g}",
        "seed": str(seed),
    }
    arguments = (f"--{name}={value}" for name, value in options.items())
    return ProcessSpec(
        name="robots",
        command=(sys.executable, "-m", "workers.demo.robots", *arguments),
        cwd=site.base_dir,
        needs=("web",),
    )


def rounds_spec(
    site: Site, *, rounds: int, since: datetime, minutes: float, fresh: int | None
) -> ProcessSpec:
    """The storyteller, whose end is the end of the run."""
    options = {"rounds": str(rounds), "since": since.isoformat(), "minutes": f"{minutes:g}"}
    if fresh is not None:
        options["fresh"] = str(fresh)
    arguments = (f"--{name}={value}" for name, value in options.items())
    return ProcessSpec(
        name="rounds",
        command=(sys.executable, str(site.base_dir / "manage.py"), "demo_rounds", *arguments),
        env={"DATA_DIR": str(site.data_dir)},
        cwd=site.base_dir,
        nice=10,  # it tells of the work and must not slow it
        needs=("web",),
        restart=False,
        ends_run=True,
    )
