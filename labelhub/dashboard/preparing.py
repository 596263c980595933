"""Brings database and static files up to date before the processes start; quick when they are."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def prepare_site(*, say: Callable[[str], None]) -> None:
    """Migrate and collect static files, each only when something changed since the last time."""
    Path(settings.DATA_DIR).mkdir(parents=True, exist_ok=True)
    migrate_if_behind(say=say)
    collect_static_if_changed(say=say)
    connection.close()


def migrate_if_behind(*, say: Callable[[str], None]) -> None:
    """Apply the migrations that the database lacks."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        say(f"bringing the database up to date: {len(plan)} migrations")
        call_command("migrate", interactive=False, verbosity=0)


def collect_static_if_changed(*, say: Callable[[str], None]) -> None:
    """Collect and compress the static files when any of them differs from what was collected."""
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    state = _state_of_static_files()
    if stamp.is_file() and stamp.read_text(encoding="ascii") == state:
        return
    say("collecting static files")
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(state, encoding="ascii")


def _state_of_static_files() -> str:
    """A digest of every static file's place, size and time of change."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            path = Path(storage.path(name))
            found = path.stat()
            digest.update(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
