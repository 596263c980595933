"""``make demo`` as a newcomer meets it: real processes from nothing to a Round, and to an end."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labelhub.supervision.ownership import processes_of
from workers.demo.browser import Browser

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--images", "150", "--fresh", "60", "--minutes", "4")
OF_THE_TESTS = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PORT", "ROBOTS", "ROUNDS"}

pytestmark = pytest.mark.timeout(420)


@contextmanager
def demo(data_dir: Path, *options: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """The command that ``make demo`` runs, in a process group as a terminal makes one."""
    inherited = {name: value for name, value in os.environ.items() if name not in OF_THE_TESTS}
    with subprocess.Popen(
        [sys.executable, "manage.py", "demo", *options],
        cwd=ROOT,
        env={**inherited, **variables, "DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines_until(process: subprocess.Popen[str], wanted: str) -> list[str]:
    """What a process says up to and with the line that holds these words."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if wanted in line:
            return said
    raise AssertionError(f"never said {wanted!r}:\n{''.join(said)}")


@pytest.mark.xdist_group("whole_sites")
def test_robots_run_the_loop_and_a_second_start_finds_it_as_it_was(tmp_path: Path) -> None:
    with demo(tmp_path, *SMALL, "--pace", "0.5", HEADLESS="1", ROUNDS="1", ROBOTS="2") as first:
        told, _ = first.communicate()
    assert first.returncode == 0, told
    assert processes_of(tmp_path) == []
    assert "drawing 150 pictures of circle, cross, triangle, square, star, ring" in told
    for promised in (
        r"Round 1: (promoted|refused): right on \d+\.\d% of \d+ Gold images",
        r"votes [\d,]+, settled \d+ of \d+, labels right \d+\.\d% \(of the settled",
        r"accuracy \d+\.\d% on Gold images, cross-validated; in service: \S+ of 60 fresh",
        r"\d+\.\d s: snapshot \d+\.\d, train \d+\.\d, evaluate \d+\.\d",
        r"1 Round ended\.",
    ):
        assert re.search(promised, told), f"{promised} is not in:\n{told}"
    password = re.search(r"password +(\S+)", told)
    assert password is not None

    with demo(tmp_path, "--port", port_of(told)) as second:
        said = "".join(lines_until(second, "Ctrl-C stops everything"))
        assert "drawing" not in said
        assert "imported" not in said
        assert password[1] in said
        with Browser(re.search(r"(http://\S+/)p/shapes/", said)[1]) as browser:
            page = browser.send(browser.open("/p/shapes/").forms[-1])
        assert page.status == 200
        assert page.question is not None
        os.killpg(second.pid, signal.SIGINT)
        second.communicate()
    assert second.returncode == 0
    assert processes_of(tmp_path) == []


def port_of(told: str) -> str:
    """The free port that a headless run found; nobody else has asked for it since."""
    found = re.search(r"http://127\.0\.0\.1:(\d+)/p/shapes/", told)
    assert found is not None
    return found[1]


@pytest.mark.xdist_group("whole_sites")
def test_a_headless_run_that_is_not_done_in_time_says_where_it_stands(tmp_path: Path) -> None:
    options = (*SMALL[:-1], "0.01", "--robots", "0")
    with demo(tmp_path, *options, HEADLESS="1", ROUNDS="2") as process:
        told, _ = process.communicate()
    assert process.returncode == 1, told
    assert re.search(r"[01] of 2 Rounds ended within 0\.01 minutes; Round 1 is", told)
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("name", ["PORT", "ROBOTS", "ROUNDS"])
def test_a_variable_that_is_no_number_is_named_in_one_line(name: str, tmp_path: Path) -> None:
    with demo(tmp_path, **{name: "many"}) as process:
        told, _ = process.communicate()
    assert process.returncode == 1
    assert told == f"CommandError: {name}=many is not a whole number\n"


def test_a_port_that_cannot_be_is_refused_in_one_line(tmp_path: Path) -> None:
    with demo(tmp_path, PORT="80000") as process:
        told, _ = process.communicate()
    assert process.returncode == 1
    assert told == "CommandError: 80000 is no port: choose one from 1 to 65535\n"


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    with demo(tmp_path / "a-file") as process:
        told, _ = process.communicate()
    assert process.returncode == 1
    assert told == (
        f"CommandError: nothing can be kept in {tmp_path}/a-file (File exists): "
        "name a folder that you may write in, with DATA_DIR=\n"
    )


def test_rounds_without_headless_are_refused_in_one_line(tmp_path: Path) -> None:
    with demo(tmp_path, ROUNDS="2") as process:
        told, _ = process.communicate()
    assert process.returncode == 1
    assert told == (
        "CommandError: ROUNDS counts the Rounds of a headless run: give HEADLESS=1 too\n"
    )
