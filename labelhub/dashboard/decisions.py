"""What is left to an admin about one picture: is it Gold, and is it fit to be asked about?"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from labelhub.challenges.models import Report
from labelhub.dashboard.balance import series_of
from labelhub.dashboard.wording import number
from labelhub.projects.models import Image, Project
from labelhub.projects.selectors import catalogue


@dataclass(frozen=True)
class GoldDecision:
    """Whether a picture is Gold, and what may be said of that."""

    words: str  # whose word it is, why it cannot be Gold, or what Gold does
    label_class: int  # the class it is Gold of; 0: not Gold
    choices: tuple[tuple[int, str, str], ...]  # id, name, colour; empty: no form
    url: str
    take_back_url: str


@dataclass(frozen=True)
class FitDecision:
    """Whether a picture is fit to be asked about."""

    excluded: bool
    reported: str  # what people say is wrong with it; empty: nobody says so
    exclude_url: str
    keep_url: str


def gold_decision(*, project: Project, image: Image) -> GoldDecision:
    """What an admin may say of an image's class for certain."""
    here = [project.slug, image.pk]
    is_gold = hasattr(image, "gold")
    refusal = "" if is_gold else why_not_gold(image)
    teaches = _(
        "Gold is certain: it teaches the network, and it grades people from the next grid on."
    )
    classes = () if refusal else catalogue(project).entries
    return GoldDecision(
        words=gold_words(image) if is_gold else refusal or teaches,
        label_class=image.gold.label_class_id if is_gold else 0,
        choices=tuple((entry.id, entry.name, series_of(entry)) for entry in classes),
        url=reverse("dashboard:correct_gold" if is_gold else "dashboard:mark_gold", args=here),
        take_back_url=reverse("dashboard:take_back_gold", args=here),
    )


def fit_decision(*, project: Project, image: Image, reports: Sequence[str]) -> FitDecision:
    """What an admin may decide of an image that people gave these reasons against."""
    here = [project.slug, image.pk]
    return FitDecision(
        excluded=image.status == Image.Status.EXCLUDED,
        reported=report_words(reports),
        exclude_url=reverse("dashboard:exclude", args=here),
        keep_url=reverse("dashboard:keep", args=here),
    )


def report_words(reasons: Sequence[str]) -> str:
    """What people say of a picture: "2 × broken or blank, 1 × not fit to be shown"."""
    labels = dict(Report.Reason.choices)
    return ", ".join(
        f"{number(count)}\u00a0× {labels[reason]}"
        for reason, count in Counter(reasons).most_common()
    )


def why_not_gold(image: Image) -> str:
    """Why an image cannot be marked as Gold; empty where it can."""
    if hasattr(image, "gold"):
        return gold_words(image)
    if hasattr(image, "example"):
        return _(
            "It is shown beside the question as an example of %(name)s, so it grades nobody."
        ) % {"name": image.example.label_class.name}
    if image.status != Image.Status.ACTIVE:
        return _("It is excluded from the project; its class counts for nothing.")
    if not hasattr(image, "consensus"):
        return _("It is still being taken in. Try again in a moment.")
    return ""


def gold_words(image: Image) -> str:
    """Who says what class an image is for certain. The image is Gold."""
    gold = image.gold
    who = str(gold.created_by) if gold.created_by else gold.get_source_display()
    return _("It is Gold of %(name)s, as %(who)s says.") % {
        "name": gold.label_class.name,
        "who": who,
    }
