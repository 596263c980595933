"""Numbers, shares and times as pages say them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.text import get_text_list
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

NAMES_SHOWN = 3
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Moment:
    """A time in words, with the exact one for those who want it."""

    words: str
    exact: str
    iso: str


def number(value: int) -> str:
    """A count with its thousands apart."""
    return str(number_format(value, force_grouping=True))


def percent(share: float, digits: int = 0) -> str:
    """A share as "91 %". Neither all nor nothing is said before it is true."""
    if 0 < share < 1:
        least = 10.0**-digits
        shown = min(max(round(100 * share, digits), least), 100 - least)
    else:
        shown = 100 * share
    return str(number_format(shown, decimal_pos=digits)) + "\u00a0%"


def accuracy_words(accuracy: float, measured: int) -> str:
    """An accuracy, with a decimal only where enough images bear it."""
    return percent(accuracy, digits=1 if measured >= 1000 else 0)


def points(first: float, last: float) -> int:
    """How many whole percentage points lie between two shares as they are shown."""
    return round(100 * last) - round(100 * first)


def names(words: Sequence[str]) -> str:
    """A few names, and how many more there are."""
    shown = list(words[:NAMES_SHOWN])
    if len(words) > NAMES_SHOWN:
        shown.append(_("%(number)s more") % {"number": number(len(words) - NAMES_SHOWN)})
    return str(get_text_list(shown, _("and")))


def exact(moment: datetime) -> str:
    """A time to the minute, with its zone."""
    local = timezone.localtime(moment)
    return f"{date_format(local, 'j F Y, H:i:s')} {local.tzname()}"


def duration(seconds: float) -> str:
    """A short time: seconds below two minutes, minutes above."""
    if seconds < 120:
        whole = round(seconds)
        return ngettext("%(n)d second", "%(n)d seconds", whole) % {"n": whole}
    minutes = round(seconds / 60)
    return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}


def ago(moment: datetime, now: datetime) -> Moment:
    """A time that is over: "3 minutes ago"."""
    if now - moment < MINUTE:
        words = _("just now")
    else:
        words = _("%(time)s ago") % {"time": timesince(moment, now, depth=1)}
    return Moment(words=words, exact=exact(moment), iso=moment.isoformat())


def ahead(moment: datetime, now: datetime) -> Moment:
    """A time to come: "14:05 UTC, in 3 minutes"."""
    local = timezone.localtime(moment)
    far = local.date() != timezone.localtime(now).date()
    clock = date_format(local, "j F, H:i") if far else date_format(local, "H:i")
    left = timeuntil(moment, now, depth=1) if moment - now >= MINUTE else _("under a minute")
    words = _("%(clock)s %(zone)s, in %(left)s") % {
        "clock": clock,
        "zone": local.tzname(),
        "left": left,
    }
    return Moment(words=words, exact=exact(moment), iso=moment.isoformat())
