"""``manage.py bench_promotion``: what it cannot play is refused in one line, and leaves nothing."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def bench(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The command in a process whose temporary files lie in ``folder``."""
    folder.mkdir()
    return subprocess.run(
        [sys.executable, "manage.py", "bench_promotion", *options],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "labelhub.settings",
            "TMPDIR": str(folder),
            "DATA_DIR": str(folder.parent / "data"),
            "DATABASE_URL": f"sqlite:///{folder.parent}/db.sqlite3",
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--rounds", "0"), "--rounds 0: give a whole number, 1 or more"),
        (("--pool", "999"), "--pool 999: give a whole number, 1,000 or more"),
        (("--seed", "-1"), "--seed -1: give a whole number, 0 or more"),
        (("--recipe", "magic"), "invalid choice: 'magic'"),
        (("--images", "nowhere.npz"), "nowhere.npz"),
        (("--images", "{few}"), "--pool 1600: {few} has 20 pictures"),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_line(
    tmp_path: Path, options: tuple[str, ...], complaint: str
) -> None:
    few = tmp_path / "few.npz"
    images = np.zeros((20, 16, 16, 3), dtype=np.uint8)
    np.savez(few, images=images, labels=np.arange(20) % 2, classes=np.array(["a", "b"]))
    done = bench(tmp_path / "tmp", *(option.format(few=few) for option in options))
    assert done.returncode != 0
    assert done.stdout == ""
    assert complaint.format(few=few) in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"few.npz", "tmp"}
