"""Class balance: what the pictures are, as far as the consensus tells."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from labelhub.dashboard.selectors import ClassCount
from labelhub.dashboard.wording import number, percent
from labelhub.projects.selectors import CatalogueEntry

COLOURS = 9


@dataclass(frozen=True)
class ClassBar:
    """One class; the widths are shares of the longest bar, as SVG wants them."""

    name: str
    series: str
    images: str
    share: str
    settled: str
    gold: str
    width: str
    settled_width: str


@dataclass(frozen=True)
class Balance:
    """The title states the finding; ``unknown`` says of how many pictures no class is likely."""

    title: str
    unknown: str
    bars: tuple[ClassBar, ...]


def series_of(entry: CatalogueEntry) -> str:
    """The colour of a class, the same on every page."""
    return "series-none" if entry.is_none else f"series-{entry.position % COLOURS + 1}"


def balance(*, counts: Sequence[ClassCount], images: int) -> Balance:
    """The bars of all classes. ``images`` is how many pictures the project has."""
    named = sum(count.images for count in counts)
    longest = max([count.images for count in counts] + [1])
    missing = max(images - named, 0)
    return Balance(
        title=_title(counts, named),
        unknown=_("Of %(number)s pictures no class is likely yet.") % {"number": number(missing)}
        if missing
        else "",
        bars=tuple(_bar(count, named, longest) for count in counts),
    )


def _bar(count: ClassCount, named: int, longest: int) -> ClassBar:
    return ClassBar(
        name=count.entry.name,
        series=series_of(count.entry),
        images=number(count.images),
        share=percent(count.images / named) if named else "–",
        settled=number(count.settled),
        gold=number(count.gold),
        width=f"{100 * count.images / longest:.2f}%",
        settled_width=f"{100 * count.settled / longest:.2f}%",
    )


def _title(counts: Sequence[ClassCount], named: int) -> str:
    """Which class is met most and which least; *none of these* is no class to be short of."""
    classes = sorted(
        (count for count in counts if not count.entry.is_none), key=lambda count: -count.images
    )
    if not named:
        return _("No picture has a likely class yet")
    most, least = classes[0], classes[-1]
    if most.images == least.images:
        return _("Every class has as many pictures: %(share)s each") % {
            "share": percent(most.images / named)
        }
    return _("%(most)s is met most, %(most_share)s; %(least)s least, %(least_share)s") % {
        "most": capfirst(most.entry.name),
        "most_share": percent(most.images / named),
        "least": least.entry.name,
        "least_share": percent(least.images / named),
    }
