"""Runs a site under one supervisor: what ``supervise`` and ``demo`` share."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError

from labelhub.dashboard.preparing import prepare_site
from labelhub.supervision.broker import NoBroker
from labelhub.supervision.console import Console
from labelhub.supervision.ownership import AlreadySupervised
from labelhub.supervision.specs import ProcessSpec
from labelhub.supervision.standard import PortTaken, Site, look_for_free_port, standard_specs
from labelhub.supervision.supervisor import Supervisor


def site_from_settings(*, bind: str, port: int) -> Site:
    """The site that this process's own settings describe."""
    return Site(
        base_dir=Path(settings.BASE_DIR),
        data_dir=Path(settings.DATA_DIR),
        redis_url=settings.REDIS_URL,
        bind=bind,
        port=port,
    )


def run_site(
    site: Site,
    *,
    extra: Sequence[ProcessSpec] = (),
    prepare: Callable[[Console], None] = lambda console: None,
    on_ready: Callable[[Console], None] = lambda console: None,
) -> int:
    """Run the standard processes and the extra ones until stopped; returns the exit code.

    ``prepare`` follows the migrations and comes before the first process; ``on_ready`` follows the
    first answer of the web process. Raises CommandError with what stands in the way of a start.
    """
    _look_at_folder(site.data_dir)
    console = Console()

    def before() -> None:
        look_for_free_port(site)
        prepare_site(say=console.say)
        prepare(console)

    try:
        return Supervisor(
            [*standard_specs(site), *extra],
            data_dir=site.data_dir,
            prepare=before,
            on_ready=lambda: on_ready(console),
            console=console,
        ).run()
    except (AlreadySupervised, NoBroker, PermissionError, PortTaken) as error:
        raise CommandError(str(error)) from error


def _look_at_folder(data_dir: Path) -> None:
    """Raises CommandError when nothing can be kept in DATA_DIR, before anything is started."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data_dir):
            pass
    except OSError as error:
        raise CommandError(
            f"nothing can be kept in {data_dir} ({error.strerror}): "
            "name a folder that you may write in, with DATA_DIR="
        ) from error
