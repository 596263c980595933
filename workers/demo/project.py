"""Makes the demo's project, once: drawn pictures through the real import, Gold, an admin.

Every step may be repeated, so a start that was interrupted is finished by the next one. The last
file written, ``ready``, says that all is there.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.contrib.auth import get_user_model
from numpy.typing import NDArray

from fixtures.shapes import ShapeSet, draw_shapes, write_npz
from labelhub.exchange.services import import_images
from labelhub.projects.models import Project
from labelhub.projects.pictures import clean_array
from labelhub.projects.services import create_project
from labelhub.rounds.models import Round
from labelhub.rounds.selectors import latest_round
from labelhub.rounds.services import open_round
from workers.demo.truth import Truth

DESCRIPTION: dict[str, Any] = json.loads(
    (Path(settings.BASE_DIR) / "fixtures" / "demo.json").read_text(encoding="utf-8")
)
SLUG: str = DESCRIPTION["project"]["slug"]
ADMIN = "admin"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Wishes:
    """What a start may ask for instead of what ``fixtures/demo.json`` says."""

    images: int | None = None


def demo_folder() -> Path:
    """The demo's own files under DATA_DIR."""
    return Path(settings.DATA_DIR) / "demo"


def truth_file() -> Path:
    """What the demo's pictures show; read by robots and scores alone."""
    return demo_folder() / "truth.npz"


def prepare_demo(*, wishes: Wishes, now: datetime, say: Say) -> None:
    """Make what is missing; nothing but a look when all is there."""
    folder = demo_folder()
    folder.mkdir(parents=True, exist_ok=True)
    project = Project.objects.filter(slug=SLUG).first()
    if project is not None and (folder / "ready").is_file():
        return
    if project is None:
        project = _project()
    _import_pictures(project=project, wishes=wishes, now=now, say=say)
    (folder / "ready").touch()


def _project() -> Project:
    """It learns by the recipe of every new project: on these drawings too that needs the fewest
    labels."""
    described = DESCRIPTION["project"]
    return create_project(
        name=described["name"],
        slug=SLUG,
        class_names=described["classes"],
        question=described["question"],
        **described["settings"],
    )


def _import_pictures(*, project: Project, wishes: Wishes, now: datetime, say: Say) -> None:
    """Draw the pictures, note what they show, and import them as an admin would."""
    described = DESCRIPTION["sets"]["demo"]
    count = described["count"] if wishes.images is None else wishes.images
    say(f"drawing {count:,} pictures of {', '.join(DESCRIPTION['project']['classes'])}")
    drawn = draw_shapes(count=count, seed=described["seed"], junk_share=described["junk_share"])
    names = [f"shape {number}" for number in range(count)]
    Truth(
        pictures=drawn.images,
        sha256s=tuple(
            clean_array(picture, name).sha256
            for picture, name in zip(drawn.images, names, strict=True)
        ),
        keys=tuple(drawn.classes[label] for label in drawn.labels),
    ).save(truth_file())
    gold = first_of_each_class(drawn.labels, DESCRIPTION["gold_per_class"])
    # The others first: the holdout is drawn from them, and all Gold is left to learn from.
    for name, chosen, known in (("shapes", ~gold, False), ("gold", gold, True)):
        path = demo_folder() / f"{name}.npz"
        write_npz(ShapeSet(drawn.images[chosen], drawn.labels[chosen], drawn.classes), path)
        report = import_images(project=project, source=path, gold=known, now=now)
        say(f"{name}: {report.added:,} pictures imported, {report.gold:,} of them Gold")
        path.unlink()


def first_of_each_class(labels: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """(N,) which pictures are among the first ``count`` of their class."""
    chosen = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        chosen[np.flatnonzero(labels == label)[:count]] = True
    return chosen


def open_first_round(*, now: datetime) -> None:
    """Teach the first network at once, from Gold alone, while the first grids are served."""
    project = Project.objects.get(slug=SLUG)
    if latest_round(project=project) is None:
        open_round(project=project, trigger=Round.Trigger.PERSON, opened_by_id=None, now=now)


def admin_password() -> str:
    """The generated password of the demo's admin, kept in a file that only its owner reads.

    Where somebody set another one, that is said instead.
    """
    path = demo_folder() / "admin-password"
    users = get_user_model().objects
    user = users.filter(username=ADMIN).first()
    if user is None or not path.is_file():
        password = secrets.token_urlsafe(12)
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(password + "\n", encoding="ascii")
        user = user or users.create_superuser(ADMIN, password=password)
        user.set_password(password)
        user.save(update_fields=["password"])
        return password
    password = path.read_text(encoding="ascii").strip()
    return password if user.check_password(password) else "(as somebody changed it)"
