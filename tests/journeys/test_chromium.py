"""A machine's browser is found under each of its usual names, or the lack of one is explained."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.chromium import NAMES, NoBrowser, installed_browser
from tests.production.files import ROOT


def install(folder: Path, name: str, *, code: int = 0) -> Path:
    """A program that says its version, or fails to."""
    program = folder / name
    program.write_text(f"#!/bin/sh\nexit {code}\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("name", NAMES)
def test_a_machine_with_only_one_kind_of_chromium_has_a_browser(name: str, tmp_path: Path) -> None:
    program = install(tmp_path, name)
    assert installed_browser({"PATH": str(tmp_path)}) == program


def test_a_script_that_only_asks_for_a_package_is_passed_over(tmp_path: Path) -> None:
    install(tmp_path, "chromium-browser", code=1)
    program = install(tmp_path, "google-chrome")
    assert installed_browser({"PATH": str(tmp_path)}) == program


@pytest.mark.parametrize("given_as", ["name", "path"])
def test_a_named_browser_is_taken_by_its_path(given_as: str, tmp_path: Path) -> None:
    install(tmp_path, "chromium")
    program = install(tmp_path, "brave")
    named = {"name": "brave", "path": str(program)}[given_as]
    assert installed_browser({"PATH": str(tmp_path), "CHROMIUM": named}) == program


def test_a_named_browser_that_is_not_there_is_not_replaced_by_another(tmp_path: Path) -> None:
    install(tmp_path, "chromium")
    with pytest.raises(NoBrowser, match="CHROMIUM=brave is not a browser"):
        installed_browser({"PATH": str(tmp_path), "CHROMIUM": "brave"})


def test_the_script_of_make_test_believes_the_same_list(tmp_path: Path) -> None:
    program = install(tmp_path, "google-chrome-stable")
    done = subprocess.run(
        [sys.executable, "-m", "tests.journeys.chromium"],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{program}\n", done.stderr
    script = (ROOT / ".ci" / "browser").read_text()
    assert "tests.journeys.chromium" in script
    assert not [name for name in NAMES[1:] if name in script], "a second list would drift"
