"""What an admin does from the dashboard, with the refusals in words."""

from datetime import datetime

from django.utils.translation import gettext as _

from labelhub.dashboard.image_pages import gold_words, why_not_gold
from labelhub.dashboard.image_selectors import image_of
from labelhub.projects.models import Gold, Image, LabelClass, Project
from labelhub.projects.services import GoldContradiction
from labelhub.rounds.queueing import mark_gold


class NotGold(ValueError):
    """An image cannot become Gold of a class; the message says why."""


def mark_as_gold(
    *, project: Project, image: Image, label_class_id: int, user_id: int | None, now: datetime
) -> LabelClass:
    """Declare the class of an image of the project, as an admin. Gives the class.

    Raises NotGold for an example, an excluded image, or Gold of another class.
    """
    label_class = LabelClass.objects.get(project=project, pk=label_class_id)
    if not hasattr(image, "gold") and (refusal := why_not_gold(image)):
        raise NotGold(refusal)
    try:
        mark_gold(
            project=project,
            gold={image.pk: label_class},
            source=Gold.Source.ADMIN,
            created_by_id=user_id,
            now=now,
        )
    except GoldContradiction as error:
        held = image_of(project=project, image_id=image.pk)
        raise NotGold(gold_words(held) if held else _("The image is gone.")) from error
    return label_class
