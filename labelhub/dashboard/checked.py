"""How many of the settled are wrong, by people who were asked again: one row a level."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labelhub.challenges.checks import FEWEST, LevelError
from labelhub.dashboard.wording import number, percent
from labelhub.projects.models import Project
from labelhub.votes.settled_error import WrongShare

WIDEST_LEAST = 0.02  # of wrong labels, which the whole width shows at least


@dataclass(frozen=True)
class CheckedRow:
    """One level. ``left``, ``width`` and ``tick`` draw the interval, as SVG wants them."""

    level: str
    settles: bool
    images: str
    answered: str
    wrong: str  # empty: not told
    interval: str
    claimed: str
    left: str
    width: str
    tick: str


@dataclass(frozen=True)
class Checked:
    """The title states the finding; without ``rows`` nobody was asked again yet."""

    title: str
    note: str
    legend: str  # of the columns that a phone has no room for
    rows: tuple[CheckedRow, ...]
    errors_url: str  # of the labels that are likely among them


def checked(*, project: Project, levels: Sequence[LevelError]) -> Checked:
    """What is known of the error of what is settled."""
    answered = any(one.answered for one in levels)
    own = next((one for one in levels if one.settles), None)
    widest = max([WIDEST_LEAST, *(one.wrong.high for one in levels if one.wrong)])
    return Checked(
        title=_title(own),
        note=_note(project, own, answered=answered),
        legend=_(
            "The bar is where the wrong share lies with 95 % certainty, its tick the likeliest; "
            "claimed is what the probabilities themselves say."
        )
        if answered
        else "",
        rows=tuple(_row(one, widest) for one in levels) if answered else (),
        errors_url=reverse("dashboard:label_errors", args=[project.slug]),
    )


def _title(own: LevelError | None) -> str:
    if own is None or own.wrong is None:
        return _("How many of the settled are wrong is not known yet")
    if not own.wrong.share:
        return _("Of what is settled, under %(high)s is wrong") % {"high": _tenths(own.wrong.high)}
    return _("Of what is settled, about %(share)s is wrong") % {"share": _tenths(own.wrong.share)}


def _note(project: Project, own: LevelError | None, *, answered: bool) -> str:
    if answered and own is not None and own.wrong is not None:
        return _(
            "By people who were asked again. What everybody takes for something else, no Check "
            "finds."
        )
    if answered and own is not None and own.answered >= FEWEST:
        return _("%(n)s Checks are answered, too few of them about the less sure labels.") % {
            "n": number(own.answered)
        }
    if answered and own is not None:
        return ngettext(
            "%(n)s Check is answered; from %(least)s on it is told.",
            "%(n)s Checks are answered; from %(least)s on it is told.",
            own.answered,
        ) % {"n": number(own.answered), "least": number(FEWEST)}
    if not project.check_share:
        return _("No Checks are asked: the share of squares for them is 0 in the settings.")
    return _(
        "No Checks answered yet: %(share)s of the squares ask again about settled pictures, and "
        "their answers will tell."
    ) % {"share": percent(project.check_share)}


def _row(one: LevelError, widest: float) -> CheckedRow:
    wrong = one.wrong
    return CheckedRow(
        level=percent(one.level, digits=0 if (100 * one.level).is_integer() else 1),
        settles=one.settles,
        images=number(one.images),
        answered=number(one.answered),
        wrong=_wrong_words(wrong) if wrong else "",
        interval=_("%(low)s to %(high)s") % {"low": _tenths(wrong.low), "high": _tenths(wrong.high)}
        if wrong
        else _("too few answers"),
        claimed="–" if one.claimed is None else _tenths(one.claimed),
        left=_across(wrong.low / widest) if wrong else "",
        width=_across((wrong.high - wrong.low) / widest) if wrong else "",
        tick=_across(wrong.share / widest) if wrong else "",
    )


def _wrong_words(wrong: WrongShare) -> str:
    return _tenths(wrong.share) if wrong.share else _("none seen")


def _tenths(share: float) -> str:
    return percent(share, digits=1)


def _across(share: float) -> str:
    return f"{100 * share:.2f}%"
