"""An import killed (-9) anywhere leaves whole batches; the next one adds the rest, once."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.exchange import given
from tests.exchange.killed_import import BATCH, PLACES

ROOT = Path(__file__).resolve().parents[2]
PICTURES = 18


def test_an_import_killed_anywhere_is_finished_by_the_next(tmp_path: Path, settings) -> None:
    source = given.tree(tmp_path / "in", per_class=6)
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.exchange.killed_import", str(source)],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATA_DIR": str(settings.DATA_DIR),
            "DATABASE_URL": f"sqlite:///{settings.DATA_DIR}/db.sqlite3",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    assert [run["place"] for run in runs] == [*(name for _, name, _ in PLACES), "the end"]
    for run in runs:
        queued = run["candidates"] + run["examples"]
        whole = {run["images"], run["consensus"], run["gold"], queued, run["readable"]}
        assert len(whole) == 1, f"half a batch after the kill: {run}"
    counts = [run["images"] for run in runs]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert all(count % BATCH == 0 for count in counts if count != PICTURES)
    assert counts[-1] == PICTURES
    assert runs[-1]["examples"] == 6
