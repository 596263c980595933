"""How the settings start in production: with what they are given, or not at all."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.production.files import ROOT

GIVEN = {
    "LABELHUB_MODE": "production",
    "LABELHUB_SECRET_KEY": "k7Vq-long-and-random-for-this-test-only-9XbTzR2mWpLdHs4nYcJf",
    "LABELHUB_ALLOWED_HOSTS": "labels.example.org",
    "DATABASE_URL": "sqlite://:memory:",
    "REDIS_URL": "redis://:word@redis:6379/0",
}


def start(
    given: dict[str, str], *arguments: str, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """``manage.py`` with these variables and no others."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **given},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A working tree whose .env holds a key, as ``make install`` leaves one."""
    shutil.copytree(ROOT / "labelhub", tmp_path / "labelhub")  # its settings look beside it
    shutil.copy(ROOT / "manage.py", tmp_path)
    for name in ("workers", "classifier", "templates", "fixtures"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".env").write_text(f"LABELHUB_SECRET_KEY={GIVEN['LABELHUB_SECRET_KEY']}\n")
    return tmp_path


def test_everything_given_passes_the_deployment_check_without_a_warning(tmp_path: Path) -> None:
    done = start({**GIVEN, "DATA_DIR": str(tmp_path)}, "check", "--deploy", "--fail-level", "DEBUG")
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


@pytest.mark.parametrize("name", ["LABELHUB_SECRET_KEY", "DATABASE_URL", "REDIS_URL"])
def test_a_missing_variable_stops_the_start_and_is_named(name: str) -> None:
    done = start({key: value for key, value in GIVEN.items() if key != name}, "check")
    assert done.returncode != 0
    assert f"{name} is not set" in done.stderr


@pytest.mark.parametrize("name", ["LABELHUB_SECRET_KEY", "DATABASE_URL", "REDIS_URL"])
def test_an_empty_secret_file_is_a_missing_secret(name: str, tmp_path: Path) -> None:
    empty = tmp_path / "secret"
    empty.write_text("\n")
    given = {key: value for key, value in GIVEN.items() if key != name}
    done = start({**given, f"{name}_FILE": str(empty)}, "check")
    assert done.returncode != 0
    assert f"{name} is not set" in done.stderr


def test_a_secret_file_that_cannot_be_read_is_named_with_the_reason() -> None:
    given = {key: value for key, value in GIVEN.items() if key != "LABELHUB_SECRET_KEY"}
    done = start({**given, "LABELHUB_SECRET_KEY_FILE": "/nowhere/secret_key"}, "check")
    assert done.returncode != 0
    assert "LABELHUB_SECRET_KEY_FILE: cannot read /nowhere/secret_key" in done.stderr


def test_a_secret_from_a_file_loses_its_newline_and_is_used(tmp_path: Path) -> None:
    secret = tmp_path / "secret_key"
    secret.write_text(GIVEN["LABELHUB_SECRET_KEY"] + "\n")
    given = {key: value for key, value in GIVEN.items() if key != "LABELHUB_SECRET_KEY"}
    done = start(
        {**given, "LABELHUB_SECRET_KEY_FILE": str(secret)},
        "shell",
        "--no-imports",
        "-c",
        "from django.conf import settings; print(settings.SECRET_KEY)",
    )
    assert done.stdout.strip() == GIVEN["LABELHUB_SECRET_KEY"], done.stderr


def test_a_home_folder_may_be_written_as_a_tilde_and_no_folder_is_the_usual_one(
    tmp_path: Path,
) -> None:
    for given, expected in (("~/labels", tmp_path / "labels"), ("", ROOT / "data")):
        done = start(
            {**GIVEN, "DATA_DIR": given, "HOME": str(tmp_path)},
            "shell",
            "--no-imports",
            "-c",
            "from django.conf import settings; print(settings.DATA_DIR)",
        )
        assert done.stdout.strip() == str(expected), done.stderr


def test_production_ignores_the_env_file_of_the_embedded_way(clone: Path) -> None:
    without_key = {key: value for key, value in GIVEN.items() if key != "LABELHUB_SECRET_KEY"}
    embedded = start({**without_key, "LABELHUB_MODE": "embedded"}, "check", cwd=clone)
    assert embedded.returncode == 0, embedded.stderr
    production = start(without_key, "check", cwd=clone)
    assert production.returncode != 0
    assert "LABELHUB_SECRET_KEY is not set" in production.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("create_project", "Signs", "--classes", "a bus,a car"),
        ("rank", "signs"),
        ("changepassword", "ada"),  # Django's own
    ],
)
def test_a_command_without_tables_says_in_one_line_what_to_run(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    given = {**GIVEN, "DATA_DIR": str(tmp_path), "DATABASE_URL": f"sqlite:///{tmp_path}/new.db"}
    done = start(given, *command)
    assert done.returncode == 1
    assert "run 'manage.py migrate' first ('make run' does so by itself)" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_database_that_cannot_be_reached_is_not_taken_for_one_without_tables(
    tmp_path: Path,
) -> None:
    given = {**GIVEN, "DATA_DIR": str(tmp_path), "DATABASE_URL": f"sqlite:///{tmp_path}"}
    done = start(given, "rank", "signs")
    assert done.returncode == 1
    assert "unable to open database file" in done.stderr
    assert "migrate" not in done.stderr.splitlines()[-1]


def test_ctrl_c_ends_a_command_with_one_word(tmp_path: Path) -> None:
    given = {**GIVEN, "DATA_DIR": str(tmp_path)}
    done = start(given, "shell", "--no-imports", "-c", "raise KeyboardInterrupt")
    assert (done.returncode, done.stderr) == (130, "stopped\n")
