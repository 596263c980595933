"""What admins did to an image: kept in the log of the Django admin, beside what was done there."""

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType

from labelhub.projects.models import Image

SHOWN = 20


def record(*, user_id: int, image: Image, words: str) -> None:
    """Write down that a person did this to an image, inside the transaction that does it."""
    LogEntry.objects.log_actions(user_id, [image], CHANGE, words, single_object=True)


def records_of(*, image: Image) -> tuple[LogEntry, ...]:
    """What was done to an image, the latest first."""
    kind = ContentType.objects.get_for_model(Image)
    rows = LogEntry.objects.filter(content_type=kind, object_id=str(image.pk))
    return tuple(rows.select_related("user").order_by("-action_time")[:SHOWN])
