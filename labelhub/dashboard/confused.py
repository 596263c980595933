"""What the version in service takes for what, with the pictures that it was wrongly surest of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labelhub.dashboard.answers import measured_on_words
from labelhub.dashboard.galleries import Thumb, thumb
from labelhub.dashboard.wording import number
from labelhub.projects.models import Image, Project
from labelhub.projects.selectors import catalogue
from labelhub.rounds.models import ModelVersion


@dataclass(frozen=True)
class Confused:
    """The title states the finding; without ``thumbs`` there is none."""

    title: str
    note: str
    thumbs: tuple[Thumb, ...]


def confused(*, project: Project, serving: ModelVersion | None) -> Confused:
    """The most frequent confusions of the version in service, as its evaluation has noted them."""
    found = serving.metrics.get("confusions", []) if serving else []
    if serving is None or not found:
        return Confused("", "", ())
    names = _names(serving)
    most = found[0]
    return Confused(
        title=ngettext(
            "It took %(true)s for %(called)s once",
            "It took %(true)s for %(called)s most often: %(count)s times",
            most["count"],
        )
        % {
            "true": names[most["true"]],
            "called": names[most["called"]],
            "count": number(most["count"]),
        },
        note=_(
            "Among %(measured)s %(what)s. Of each confusion, those that it was surest of: some may "
            "be labels that are wrong. Open one to see its votes."
        )
        % {
            "measured": number(int(serving.metrics.get("images", 0))),
            "what": measured_on_words(str(serving.metrics.get("measured_on", ""))),
        },
        thumbs=_thumbs(project, found, names),
    )


def _names(version: ModelVersion) -> list[str]:
    """Of the classes, in the order of the version's outputs."""
    named = {entry.id: entry.name for entry in catalogue(version.project).entries}
    return [named.get(label_class, "?") for label_class in version.label_classes]


def _thumbs(
    project: Project, found: list[Mapping[str, Any]], names: list[str]
) -> tuple[Thumb, ...]:
    """The examples of every confusion that are still there."""
    wanted = [image_id for one in found for image_id in one["examples"]]
    there = dict(
        Image.objects.filter(
            project=project, pk__in=wanted, status=Image.Status.ACTIVE
        ).values_list("pk", "name")
    )
    return tuple(
        thumb(
            project=project,
            image_id=image_id,
            name=there[image_id],
            reason=_("%(true)s, taken for %(called)s")
            % {"true": names[one["true"]], "called": names[one["called"]]},
        )
        for one in found
        for image_id in one["examples"]
        if image_id in there
    )
