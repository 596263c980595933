"""What an admin does from the dashboard, with the refusals in words."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from labelhub.challenges.models import Report
from labelhub.challenges.reporting import decide
from labelhub.dashboard import log
from labelhub.dashboard.decisions import gold_words, why_not_gold
from labelhub.dashboard.image_selectors import image_of
from labelhub.projects.models import Gold, Image, LabelClass, Project
from labelhub.projects.services import GoldContradiction, confirm_gold
from labelhub.rounds.contradicted import ask_again_about
from labelhub.rounds.queueing import correct_gold, mark_gold, take_back_gold


class NotGold(ValueError):
    """An image cannot become Gold of a class; the message says why."""


class NotAsked(ValueError):
    """Nobody can be asked about an image; the message says why."""


def mark_as_gold(
    *, project: Project, image: Image, label_class_id: int, user_id: int, now: datetime
) -> LabelClass:
    """Declare the class of an image of the project, as an admin. Gives the class.

    Raises NotGold for an example, an excluded image, or Gold of another class.
    """
    label_class = LabelClass.objects.get(project=project, pk=label_class_id)
    if not hasattr(image, "gold") and (refusal := why_not_gold(image)):
        raise NotGold(refusal)
    try:
        with transaction.atomic():
            mark_gold(
                project=project,
                gold={image.pk: label_class},
                source=Gold.Source.ADMIN,
                created_by_id=user_id,
                now=now,
            )
            log.record(user_id=user_id, image=image, words=f"Marked as Gold: {label_class.name}.")
    except GoldContradiction as error:
        held = image_of(project=project, image_id=image.pk)
        raise NotGold(gold_words(held) if held else _("The image is gone.")) from error
    return label_class


def correct_gold_of(
    *, project: Project, image: Image, label_class_id: int, user_id: int, now: datetime
) -> LabelClass:
    """Say another class of an image that is Gold. Gives the class. Raises NotGold."""
    label_class = LabelClass.objects.get(project=project, pk=label_class_id)
    before = _gold_of(image).label_class
    if before == label_class:
        return label_class
    words = f"Gold corrected: {label_class.name}, not {before.name}."
    with transaction.atomic():
        correct_gold(image=image, label_class=label_class, corrected_by_id=user_id, now=now)
        log.record(user_id=user_id, image=image, words=words)
    return label_class


def confirm_gold_of(*, image: Image, user_id: int, now: datetime) -> None:
    """Say by eye that what somebody else declared is right: it is not doubted again. Raises
    NotGold."""
    gold = _gold_of(image)
    with transaction.atomic():
        confirm_gold(image=image, confirmed_by_id=user_id, now=now)
        log.record(user_id=user_id, image=image, words=f"Gold confirmed: {gold.label_class.name}.")


def ask_about_again(*, image: Image, user_id: int) -> None:
    """Ask about an image's label before all others of its class. Raises NotAsked."""
    with transaction.atomic():
        if not ask_again_about(image=image):
            raise NotAsked(
                _("Nobody can be asked: it is Gold, an example, excluded, or of the holdout.")
            )
        log.record(user_id=user_id, image=image, words="Asked again.")


def take_gold_back(*, image: Image, user_id: int, now: datetime) -> None:
    """Make an image that is Gold ordinary again. Raises NotGold."""
    before = _gold_of(image).label_class
    with transaction.atomic():
        take_back_gold(image=image, now=now)
        log.record(user_id=user_id, image=image, words=f"Gold taken back: {before.name}.")


def _gold_of(image: Image) -> Gold:
    if not hasattr(image, "gold"):
        raise NotGold(_("It is not Gold any more. Nothing was changed."))
    return image.gold


def decide_on(*, image: Image, decision: Report.Decision, user_id: int, now: datetime) -> None:
    """Exclude an image, or keep it or take it back in; its reports are closed."""
    with transaction.atomic():
        decide(image=image, decision=decision, decided_by_id=user_id, now=now)
        log.record(user_id=user_id, image=image, words=f"{decision.label.capitalize()}.")
