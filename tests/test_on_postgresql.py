"""The rules that a database keeps are kept by PostgreSQL too: their tests run again over one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# One server, a database for each area. Trainings do the same over any database, so of a Round only
# what it does with its rows runs again; and the test that writes a hundred thousand images to count
# the statements of a grid does not.
AREAS = {
    "projects": ["projects/test_prepared.py", "projects/test_views_of_projects.py"],
    "annotators": ["annotators"],
    "votes": ["votes"],
    "rounds": ["rounds"],
    "challenges": ["challenges"],
    "exchange": ["exchange/test_two_imports.py"],
    "dashboard": [
        f"dashboard/test_{page}.py"
        for page in ("actions", "checked", "cockpit", "contested", "exports", "images", "reports")
    ],
    "workers": [
        "workers/test_snapshot.py",
        "workers/test_ranking.py",
        "workers/test_shards.py",
        "workers/test_round.py::test_a_round_trains_promotes_and_ranks_every_image",
        "workers/test_round.py::test_a_worker_whose_lease_was_taken_stops_and_writes_nothing",
        "workers/test_round.py::test_a_message_delivered_twice_trains_once",
    ],
}


@pytest.mark.postgres
@pytest.mark.xdist_group("postgres")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("area", AREAS)
def test_the_rules_hold_on_postgresql(area: str, empty_postgres: str) -> None:
    places = [f"tests/{place}" for place in AREAS[area]]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-k", "not 100000", *places],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": empty_postgres, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert " passed" in done.stdout.splitlines()[-1]
