"""``manage.py bench_serving`` as a script runs it: its result is promised, its traces are none."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--images", "60", "--grids", "20", "--concurrency", "4")
PROMISED = {
    "grids_per_second",
    "judgements_per_second",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "errors",
    "floor_grids_per_second",
    "rss_mb",
    "cycles_without_tiles_per_second",
}


def bench(folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command in a process whose temporary files lie in ``folder``."""
    folder.mkdir()
    return subprocess.run(
        [sys.executable, "manage.py", "bench_serving", *options],
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
    assert result["errors"] == 0, result["first_errors"]
    assert all(result[name] > 0 for name in PROMISED - {"errors"})
    assert result["p50_ms"] <= result["p95_ms"] <= result["p99_ms"]
    assert result["rss_mb"] < 150


def test_a_small_run_keeps_the_contract_and_leaves_nothing(tmp_path: Path) -> None:
    assert_contract(bench(tmp_path / "tmp", *SMALL, "--json", "-"))
    assert list((tmp_path / "tmp").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"tmp"}


@pytest.mark.postgres
@pytest.mark.xdist_group("postgres")
def test_postgresql_is_measured_in_a_database_that_is_gone_afterwards(
    tmp_path: Path, postgres: str
) -> None:
    def databases() -> set[str]:
        with psycopg.connect(postgres) as connection:
            return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}

    before = databases()
    options = (*SMALL, "--database", "postgres", "--json", "-")
    assert_contract(bench(tmp_path / "tmp", *options, TEST_DATABASE_URL=postgres))
    assert databases() == before
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--images", "0"), "--images must be at least 1"),
        (("--grids", "-3"), "--grids must be at least 1"),
        (("--concurrency", "0"), "--concurrency must be at least 1"),
        (("--images", "60"), "--images 60 is too few for --concurrency 16: give at least 192"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(
    tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    done = bench(tmp_path / "tmp", *options)
    assert done.returncode == 1
    assert done.stderr == f"CommandError: {words}\n"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_port_that_cannot_be_had_is_one_clear_error_and_nothing_is_left(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = bench(tmp_path / "tmp", *SMALL, "--port", port)
    assert done.returncode == 1
    assert done.stderr == (
        f"CommandError: cannot listen on 127.0.0.1 port {port} (Address already in use): "
        "stop what listens there, or choose another port (PORT=, --port)\n"
    )
    assert list((tmp_path / "tmp").iterdir()) == []
