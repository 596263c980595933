"""Imports a folder again and again, each time killed (-9) at another place, then once to the end.

    python -m tests.exchange.killed_import FOLDER

Prints one JSON line for each run: the place, and the rows that it left. Needs ``DATA_DIR`` and
``DATABASE_URL`` of its own; every run is a process forked before any connection is open.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from labelhub.exchange import services  # noqa: E402
from labelhub.projects import pictures  # noqa: E402
from labelhub.projects.models import Gold, Image, Project  # noqa: E402
from labelhub.rounds.models import Candidate  # noqa: E402
from labelhub.votes.models import Consensus  # noqa: E402
from tests.exchange import given  # noqa: E402
from tests.factories import NOON  # noqa: E402

BATCH = 5
# Place in the code, and the how manieth time it is reached.
PLACES: tuple[tuple[Any, str, int], ...] = (
    (pictures, "_encoded", 4),  # a picture's file is open and empty
    (services, "store", 8),  # half a batch of pictures without rows
    (services, "add_images", 2),  # in the transaction
    (services, "open_for_labelling", 2),  # image rows written, not committed
    (services, "sync", 2),
    (services, "_choose_examples", 1),  # every batch committed
)


def in_a_process(work: Callable[[], None]) -> None:
    """Run in a child, however it ends."""
    child = os.fork()
    if not child:
        work()
        connection.close()
        os._exit(0)
    os.waitpid(child, 0)


def kill_at(owner: Any, name: str, time: int) -> None:
    """Put a trap in the place of a function: the process dies when it is called that often."""
    real, calls = getattr(owner, name), iter(range(1, 1000))

    def trap(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == time:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)

    setattr(owner, name, trap)


def take(source: Path) -> None:
    services.BATCH = BATCH
    services.import_images(project=Project.objects.get(), source=source, gold=True, now=NOON)


def tell(place: str) -> None:
    print(
        json.dumps(
            {
                "place": place,
                "images": Image.objects.count(),
                "consensus": Consensus.objects.count(),
                "gold": Gold.objects.count(),
                "examples": Image.objects.filter(example__isnull=False).count(),
                "candidates": Candidate.objects.count(),
                "readable": sum(
                    pictures.open_full(image.sha256).size == (16, 16)
                    for image in Image.objects.all()
                ),
            }
        ),
        flush=True,
    )


def main(source: Path) -> None:
    def prepare() -> None:
        call_command("migrate", verbosity=0)
        given.project()

    in_a_process(prepare)
    for owner, name, time in PLACES:

        def killed(owner: Any = owner, name: str = name, time: int = time) -> None:
            kill_at(owner, name, time)
            take(source)

        in_a_process(killed)
        in_a_process(lambda name=name: tell(name))
    in_a_process(lambda: take(source))
    in_a_process(lambda: tell("the end"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
