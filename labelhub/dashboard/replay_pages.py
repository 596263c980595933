"""The page on which a picture goes through the network, stage by stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from django.urls import reverse
from django.utils.translation import gettext as _

from labelhub.dashboard.balance import series_of
from labelhub.dashboard.image_pages import is_small
from labelhub.dashboard.image_selectors import images_in_doubt
from labelhub.dashboard.wording import number
from labelhub.projects.models import Example, Image, Project
from labelhub.projects.selectors import catalogue
from labelhub.rounds.models import ModelVersion
from labelhub.rounds.selectors import serving_version

EXAMPLES, IN_DOUBT = 8, 12  # pictures that are offered
VERSIONS = 50  # the latest


@dataclass(frozen=True)
class VersionChoice:
    """A version that may be replayed."""

    number: int
    words: str


@dataclass(frozen=True)
class Pick:
    """A picture that may be replayed."""

    image_id: int
    name: str
    small: bool
    tile_url: str
    picture_url: str
    url: str


@dataclass(frozen=True)
class Lane:
    """One picture in one version: what is shown at first, alone or beside another."""

    key: str
    title: str
    pick: Pick
    version: int


@dataclass(frozen=True)
class ReplayPage:
    """``trouble`` says why nothing can be replayed, and ``step`` what to do about it."""

    versions: tuple[VersionChoice, ...]
    picks: tuple[Pick, ...]
    lanes: tuple[Lane, ...]
    second: Lane | None  # what stands beside the first where nobody has chosen
    series: Mapping[int, str]  # LabelClass id to its colour
    data_url: str
    trouble: str = ""
    step: str = ""


@dataclass(frozen=True)
class Asked:
    """An image and a version's number that an address names; None where it does not."""

    image: Image | None
    version: ModelVersion | None


def replay_page(*, project: Project, asked: Sequence[Asked]) -> ReplayPage:
    """The page with one lane, or two; what is not asked for is the version in service, and the
    first picture that is offered."""
    serving = serving_version(project=project)
    versions = list(ModelVersion.objects.filter(project=project).order_by("-number")[:VERSIONS])
    first = serving or next(iter(versions), None)
    picks = _picks(project, serving, [one.image for one in asked if one.image])
    page = ReplayPage(
        versions=tuple(_choice(one) for one in versions),
        picks=tuple(picks.values()),
        lanes=(),
        second=None,
        series={entry.id: series_of(entry) for entry in catalogue(project).entries},
        data_url=reverse("dashboard:replay_data", args=[project.slug]),
    )
    if first is None:
        step = _("The first Round that is trained makes a version, and its network is shown here.")
        return replace(page, trouble=_("No network yet"), step=step)
    if not picks:
        step = _("Import some: then they can be shown.")
        return replace(page, trouble=_("No pictures yet"), step=step)
    named = {one.image.pk for one in asked if one.image}
    usual = next((one for pk, one in picks.items() if pk not in named), next(iter(picks.values())))
    lanes = tuple(
        _lane(place, picks[one.image.pk] if one.image else usual, one.version or first)
        for place, one in enumerate(asked)
    )
    others = [one for one in versions if one.number != lanes[0].version]
    second = _lane(1, lanes[0].pick, others[0] if others else first)
    return replace(page, lanes=lanes, second=second)


def _lane(place: int, pick: Pick, version: ModelVersion) -> Lane:
    return Lane("ab"[place], (_("First"), _("Second"))[place], pick, version.number)


def _choice(version: ModelVersion) -> VersionChoice:
    words = {"number": number(version.number), "recipe": version.recipe}
    if version.serving:
        return VersionChoice(
            version.number, _("version %(number)s, %(recipe)s, in service") % words
        )
    if version.promoted_at is None:
        return VersionChoice(version.number, _("version %(number)s, %(recipe)s, refused") % words)
    return VersionChoice(version.number, _("version %(number)s, %(recipe)s") % words)


def _picks(
    project: Project, serving: ModelVersion | None, named: Sequence[Image]
) -> dict[int, Pick]:
    """What was asked for, examples of the classes, and pictures in doubt; by image id."""
    doubts = images_in_doubt(project=project, serving=serving, most=IN_DOUBT)
    ids = [doubt.image_id for doubt in doubts]
    examples = Example.objects.filter(label_class__project=project).order_by("position", "pk")
    shown = [row.image for row in examples.select_related("image")[:EXAMPLES]]
    unsure = Image.objects.in_bulk(ids)
    images = [*named, *shown, *(unsure[pk] for pk in ids if pk in unsure)]
    if not images:  # all are settled, or the version has not looked at them yet
        active = Image.objects.filter(project=project, status=Image.Status.ACTIVE)
        images = list(active.order_by("pk")[:IN_DOUBT])
    return {image.pk: _pick(project, image) for image in images}


def _pick(project: Project, image: Image) -> Pick:
    here = [project.slug, image.pk]
    return Pick(
        image_id=image.pk,
        name=image.name,
        small=is_small(image),
        tile_url=reverse("dashboard:tile", args=here),
        picture_url=reverse("dashboard:picture", args=here),
        url=reverse("dashboard:image", args=here),
    )
