"""The rules that a database keeps are kept by PostgreSQL too: their tests run again over one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.postgres
@pytest.mark.xdist_group("postgres")
@pytest.mark.parametrize("area", ["challenges", "votes", "rounds", "exchange/test_two_imports.py"])
def test_the_rules_hold_on_postgresql(area: str, postgres: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", f"tests/{area}", "-q", "-p", "no:xdist"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": postgres, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout.splitlines()[-1]
