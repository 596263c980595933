"""Tasks of the inference queue: doors, not rooms. Somebody waits for what they answer."""

from typing import Any

from celery import shared_task

from labelhub.rounds import dispatch
from workers.replaying import answer


@shared_task(name=dispatch.REPLAY)
def replay(
    *,
    version_id: int,
    reply: str,
    image_id: int | None = None,
    picture: str | None = None,
    **_: Any,
) -> None:
    """Acknowledged at once: who asked has given up before it could come back."""
    answer(version_id=version_id, image_id=image_id, picture=picture, reply=reply)
