"""``manage.py bench_ranking`` as a script runs it: its result is promised, its traces are none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROMISED = {
    f"{start}{what}"
    for start in ("", "from_files_", "voted_")
    for what in (
        "images_per_second",
        "to_queues_images_per_second",
        "limit_images_per_second",
        "ratio",
    )
}


def bench(folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command in a process whose temporary files lie in ``folder``."""
    folder.mkdir()
    return subprocess.run(
        [sys.executable, "manage.py", "bench_ranking", *options],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "labelhub.settings",
            "TMPDIR": str(folder),
            "DATA_DIR": str(folder.parent / "data"),
            "DATABASE_URL": f"sqlite:///{folder.parent}/db.sqlite3",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def assert_contract(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result.keys() >= PROMISED
    assert all(result[name] > 0 for name in PROMISED)
    assert result["images_per_second"] >= result["to_queues_images_per_second"]
    assert result["images"] == 150
    arrangements = {one["threads"]: one["images_per_second"] for one in result["limits"]}
    assert arrangements.keys() == {"a batch each", "share a batch"}
    assert result["limit_images_per_second"] == max(arrangements.values())


def test_a_small_run_keeps_the_contract_and_leaves_nothing(tmp_path: Path) -> None:
    assert_contract(bench(tmp_path / "tmp", "--images", "150", "--json", "-"))
    assert list((tmp_path / "tmp").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"tmp"}


@pytest.mark.postgres
@pytest.mark.xdist_group("postgres")
def test_it_runs_over_postgresql_too(tmp_path: Path, postgres: str) -> None:
    options = ("--images", "150", "--database", "postgres", "--json", "-")
    assert_contract(bench(tmp_path / "tmp", *options, TEST_DATABASE_URL=postgres))
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_pool_of_nothing_is_refused(tmp_path: Path) -> None:
    done = bench(tmp_path / "tmp", "--images", "0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip().endswith("--images must be at least 1")
