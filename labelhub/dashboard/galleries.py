"""The gallery of pictures in doubt, and how a picture of any gallery says why it is there."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labelhub.dashboard.image_selectors import Doubt
from labelhub.dashboard.wording import number, percent
from labelhub.projects.models import Project
from labelhub.projects.selectors import Catalogue, catalogue
from labelhub.rounds.models import ModelVersion

REASONS = 2  # classes named under a picture
NEAR_EQUAL = 0.001


@dataclass(frozen=True)
class Thumb:
    """A picture of a gallery with the reason for its being there."""

    url: str
    picture_url: str
    name: str
    reason: str


@dataclass(frozen=True)
class Gallery:
    """The pictures in doubt."""

    title: str
    note: str
    thumbs: tuple[Thumb, ...]


def gallery(*, project: Project, doubts: Sequence[Doubt], serving: ModelVersion | None) -> Gallery:
    """The pictures in doubt, the most doubtful first."""
    classes = catalogue(project)
    return Gallery(
        title=_title(len(doubts), serving),
        note=_("They are asked first. Open one to see its votes or to mark it as Gold."),
        thumbs=tuple(
            thumb(
                project=project,
                image_id=doubt.image_id,
                name=doubt.name,
                reason=reason_words(doubt.probabilities, classes),
            )
            for doubt in doubts
        ),
    )


def _title(count: int, serving: ModelVersion | None) -> str:
    if not count:
        return _("No picture is in doubt")
    if serving is None:
        words = ngettext(
            "The picture that needs an answer most",
            "The %(n)s pictures that need an answer most",
            count,
        )
    else:
        words = ngettext(
            "The picture that the network is least sure of",
            "The %(n)s pictures that the network is least sure of",
            count,
        )
    return words % {"n": number(count)}


def thumb(*, project: Project, image_id: int, name: str, reason: str) -> Thumb:
    """An image as a gallery shows it, leading to its page."""
    here = [project.slug, image_id]
    return Thumb(
        url=reverse("dashboard:image", args=here),
        picture_url=reverse("dashboard:tile", args=here),
        name=name,
        reason=reason,
    )


def reason_words(probabilities: Sequence[tuple[int, float]], classes: Catalogue) -> str:
    """Between which classes an image stands: "circle 41 %, ring 38 %"."""
    if nothing_known(probabilities):
        return _("nothing known yet")
    return ", ".join(
        f"{classes.entry(label_class).name} {percent(share)}"
        for label_class, share in probabilities[:REASONS]
    )


def nothing_known(probabilities: Sequence[tuple[int, float]]) -> bool:
    """Whether one class is as likely as any other; the likeliest stands first."""
    return probabilities[0][1] - probabilities[-1][1] < NEAR_EQUAL
