"""``make install``: what it asks pip for, when, and what it says where it cannot go on."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.production.files import ROOT

# A Python that makes environments out of itself and notes what its pip is asked for.
PYTHON = """#!/bin/sh
case "$*" in
    *version_info*) exit 0 ;;
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip "*) shift 7; echo "$*" >>asked ;;
    *token_urlsafe*) echo a-key ;;
esac
"""
LOCKED = "-r requirements.lock"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A checkout with the script and a lock, and a Python beside it."""
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    (tmp_path / "requirements.lock").write_text("numpy==2.0.0\ntorch==2.13.0\n")
    (tmp_path / "python3").write_text(PYTHON)
    (tmp_path / "python3").chmod(0o755)
    return tmp_path


def install(clone: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [clone / ".ci" / "install"],
        env={"PATH": f"{clone}:/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def asked(clone: Path) -> list[str]:
    """What pip was asked for since the last look."""
    note = clone / "asked"
    lines = note.read_text().splitlines() if note.exists() else []
    note.unlink(missing_ok=True)
    return lines


def test_a_second_install_asks_for_nothing(clone: Path) -> None:
    assert install(clone).returncode == 0
    assert asked(clone) == [LOCKED]
    assert install(clone).stderr == ""
    assert asked(clone) == []
    assert (clone / ".env").read_text() == "LABELHUB_SECRET_KEY=a-key\n"
    assert (clone / ".env").stat().st_mode & 0o777 == 0o600


def test_torch_alone_comes_from_the_index_that_is_named_and_the_index_is_remembered(
    clone: Path,
) -> None:
    torch = "--no-deps --force-reinstall --index-url https://torch.example/{} torch==2.13.0"
    install(clone)
    asked(clone)
    install(clone, TORCH_INDEX="https://torch.example/cpu")
    assert asked(clone) == [torch.format("cpu"), LOCKED]
    install(clone)
    install(clone, TORCH_INDEX="https://torch.example/cpu")
    assert asked(clone) == []
    with (clone / "requirements.lock").open("a") as lock:
        lock.write("tqdm==4.0.0\n")
    install(clone)
    assert asked(clone) == [torch.format("cpu"), LOCKED]
    install(clone, TORCH_INDEX="https://torch.example/gpu")
    assert asked(clone) == [torch.format("gpu"), LOCKED]


@pytest.mark.parametrize(
    ("program", "what"),
    [
        ("#!/bin/sh\necho Python 3.9.2\nexit 1\n", "Python 3.9.2"),
        ("#!/bin/sh\nprintf 'other 9.1\\nmany\\nwords\\n'\nexit 1\n", "other 9.1"),
        (None, "not there"),
    ],
)
def test_a_python_that_will_not_do_is_named_in_one_line(
    program: str | None, what: str, clone: Path
) -> None:
    named = clone / "named-python"
    if program:
        named.write_text(program)
        named.chmod(0o755)
    done = install(clone, PYTHON=str(named))
    assert done.returncode != 0
    assert done.stderr == (
        f"LabelHub needs Python 3.11 or newer, and {named} is {what}. "
        "Install one, or name it: make install PYTHON=/path/to/python3.12\n"
    )
