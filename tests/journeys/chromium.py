"""Which browser the journeys drive: one answer for ``make test``, tests and screenshots.

    python -m tests.journeys.chromium

prints its path, or ends with code 1 and says why there is none.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_SECONDS_TO_SAY_ITS_VERSION = 30


class NoBrowser(Exception):
    """No browser is there, or the one that was named cannot be used."""


def installed_browser(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The program to drive: $CHROMIUM (a name or a path), else one on PATH.

    None leaves playwright to the one that it may have fetched for itself. Raises NoBrowser when
    the named one cannot be used: it is never replaced by another.
    """
    path = environment.get("PATH")
    if named := environment.get("CHROMIUM"):
        found = shutil.which(named, path=path)
        if found is None or not _starts(found):
            raise NoBrowser(f"CHROMIUM={named} is not a browser that starts here")
        return Path(found).absolute()
    candidates = (found for name in NAMES if (found := shutil.which(name, path=path)))
    return next((Path(found).absolute() for found in candidates if _starts(found)), None)


def any_browser() -> Path:
    """The one that the tests will drive, playwright's own included. Raises NoBrowser."""
    if installed := installed_browser():
        return installed
    with sync_playwright() as playwright:
        fetched = Path(playwright.chromium.executable_path)
    if not fetched.is_file():
        raise NoBrowser(f"no browser on PATH ({', '.join(NAMES)}), and playwright has fetched none")
    return fetched


def _starts(program: str) -> bool:
    """Whether it says its version. Some systems install a script that only asks for a package."""
    try:
        done = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS_TO_SAY_ITS_VERSION,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


if __name__ == "__main__":
    try:
        print(any_browser())
    except NoBrowser as error:
        sys.exit(str(error))
