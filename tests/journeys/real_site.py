"""A whole site under its real supervisor: its processes, its rows, and what a visitor finds."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dj_database_url
from django.db import connections

from labelhub.projects.models import Project
from tests.supervision.conftest import BASE_DIR, Run

ROWS = "site"  # the alias under which a test reads the rows of a site
TRAINING = "training@%h"  # the word that tells the training worker's command line
SHELL = (sys.executable, "manage.py", "shell", "--no-imports", "-v", "0", "-c")
PREPARE = "from tests.pictured import striped_project; striped_project(**{settings!r})"


@dataclass(frozen=True)
class RealSite:
    """Processes started by ``manage.py supervise``. Rows are read ``.using(ROWS)``."""

    run: Run
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def data_dir(self) -> Path:
        return self.run.data_dir

    def new_project(self, **settings: object) -> Project:
        """A project over drawn pictures, made by a process of its own as an admin's command is."""
        done = subprocess.run(
            [*SHELL, PREPARE.format(settings=settings)],
            cwd=BASE_DIR,
            env=self.run.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return Project.objects.using(ROWS).latest("pk")

    def last_words(self, lines: int = 60) -> str:
        """The tail of what all processes said."""
        return "\n".join(self.run.log.read_text(errors="replace").splitlines()[-lines:])


@contextmanager
def rows_of(database_url: str) -> Iterator[None]:
    """Lets this process read another's database, under the alias ROWS."""
    connections.databases[ROWS] = {
        **connections.databases["default"],
        "OPTIONS": {},
        **dj_database_url.parse(database_url),
    }
    try:
        yield
    finally:
        connections[ROWS].close()
        del connections[ROWS]
        del connections.databases[ROWS]
