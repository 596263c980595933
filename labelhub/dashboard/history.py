"""Accuracy by Round: the finding as a title, points for the plot, rows for table and CSV."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labelhub.dashboard.answers import measured_on_words
from labelhub.dashboard.selectors import RoundRecord
from labelhub.dashboard.wording import Moment, accuracy_words, ago, number, points
from labelhub.projects.models import Project
from labelhub.rounds.models import Round

PLOTTED, LISTED = 200, 8
HEADER = (
    "round",
    "opened_at",
    "finished_at",
    "trigger",
    "state",
    "outcome",
    "labels",
    "votes",
    "accuracy",
    "ece",
    "measured_images",
    "measured_on",
    "provisional",
    "serving",
    "reason",
)


@dataclass(frozen=True)
class RoundRow:
    """A Round in the table."""

    number: str
    accuracy: str
    outcome: str
    tone: str
    provisional: bool
    serving: bool
    measured: str
    reason: str
    when: Moment


@dataclass(frozen=True)
class History:
    """The plot with its title, and the table beside it, the latest Round first.

    ``plot`` is JSON, columns for the script: Round numbers, accuracy in percent where promoted, and
    where refused.
    """

    title: str
    note: str
    plot: str
    rows: tuple[RoundRow, ...]
    more: str
    csv_url: str


def history(*, project: Project, records: Sequence[RoundRecord], now: datetime) -> History:
    """The latest Rounds of a project, given oldest first."""
    measured = [record for record in records if record.accuracy is not None]
    closed = [record for record in records if record.finished_at or record.accuracy is not None]
    hidden = len(closed) - LISTED
    return History(
        title=_title(measured),
        note=_note(measured),
        plot=json.dumps(_plot(measured)) if measured else "",
        rows=tuple(_row(record, now) for record in closed[: -LISTED - 1 : -1]),
        more=ngettext(
            "%(n)s earlier Round is in the CSV.", "%(n)s earlier Rounds are in the CSV.", hidden
        )
        % {"n": number(hidden)}
        if hidden > 0
        else "",
        csv_url=reverse("dashboard:rounds_csv", args=[project.slug]),
    )


def _promoted(record: RoundRecord) -> bool:
    return record.outcome == Round.Outcome.PROMOTED


def _shown(measured: Sequence[RoundRecord]) -> RoundRecord | None:
    """The Round that the title names: the one whose version serves, or the last promoted."""
    promoted = [record for record in measured if _promoted(record)]
    last = promoted[-1] if promoted else None
    return next((record for record in promoted if record.serving), last)


def _title(measured: Sequence[RoundRecord]) -> str:
    """The finding: what serves now, against the first that ever did."""
    shown = _shown(measured)
    if shown is None:
        return _("No Round was promoted yet") if measured else _("No Round has measured anything")
    first = next(record for record in measured if _promoted(record))
    words = {
        "accuracy": accuracy_words(shown.accuracy or 0.0, shown.measured),
        "last": number(shown.number),
        "first": number(first.number),
    }
    if shown is first:
        return _("%(accuracy)s after Round %(last)s") % words
    gain = points(first.accuracy or 0.0, shown.accuracy or 0.0)
    if gain == 0:
        return _("%(accuracy)s after Round %(last)s, as after Round %(first)s") % words
    words["gain"] = number(abs(gain))
    if gain > 0:
        return (
            ngettext(
                "%(accuracy)s after Round %(last)s, %(gain)s point above Round %(first)s",
                "%(accuracy)s after Round %(last)s, %(gain)s points above Round %(first)s",
                gain,
            )
            % words
        )
    return (
        ngettext(
            "%(accuracy)s after Round %(last)s, %(gain)s point below Round %(first)s",
            "%(accuracy)s after Round %(last)s, %(gain)s points below Round %(first)s",
            -gain,
        )
        % words
    )


def _note(measured: Sequence[RoundRecord]) -> str:
    """What the marks mean, and where the measure itself changed."""
    if not measured:
        return _("Each Round that trains a network adds a point here.")
    notes = []
    if any(not _promoted(record) for record in measured):
        notes.append(_("A cross is a refused Round: its network never served."))
    kinds = {record.provisional for record in measured}
    if len(kinds) > 1:
        since = next(record.number for record in measured if not record.provisional)
        notes.append(
            _("Measured on Gold or votes before Round %(number)s, on the holdout since.")
            % {"number": number(since)}
        )
    elif kinds == {True}:
        notes.append(_("Provisional: measured on Gold or votes by cross-validation."))
    else:
        notes.append(_("Measured on the holdout."))
    return " ".join(notes)


def _plot(measured: Sequence[RoundRecord]) -> dict[str, object]:
    shares = [round(100 * (record.accuracy or 0.0), 2) for record in measured]
    shown = _shown(measured)
    return {
        "rounds": [record.number for record in measured],
        "promoted": [
            share if _promoted(record) else None
            for share, record in zip(shares, measured, strict=True)
        ],
        "refused": [
            None if _promoted(record) else share
            for share, record in zip(shares, measured, strict=True)
        ],
        "labels": [accuracy_words(record.accuracy or 0.0, record.measured) for record in measured],
        "labelled": measured.index(shown) if shown else None,
        "round": _("Round"),
    }


def _row(record: RoundRecord, now: datetime) -> RoundRow:
    outcome, tone = {
        Round.Outcome.PROMOTED.value: (_("promoted"), "good"),
        Round.Outcome.REFUSED.value: (_("refused"), "warn"),
    }.get(record.outcome, (_("failed"), "warn"))
    measured = ""
    if record.accuracy is not None:
        measured = _("%(count)s %(what)s") % {
            "count": number(record.measured),
            "what": measured_on_words(record.measured_on),
        }
    return RoundRow(
        number=number(record.number),
        accuracy="–"
        if record.accuracy is None
        else accuracy_words(record.accuracy, record.measured),
        outcome=outcome,
        tone=tone,
        provisional=record.provisional,
        serving=record.serving,
        measured=measured,
        reason=record.reason,
        when=ago(record.opened_at, now),
    )


def csv_rows(records: Sequence[RoundRecord]) -> Iterator[Sequence[object]]:
    """The header and a row for each Round, for spreadsheets and programs alike."""
    yield HEADER
    for record in records:
        yield (
            record.number,
            record.opened_at.isoformat(),
            record.finished_at.isoformat() if record.finished_at else "",
            record.trigger,
            record.state,
            record.outcome,
            *(
                "" if known is None else known
                for known in (record.labels, record.votes, record.accuracy, record.ece)
            ),
            record.measured,
            record.measured_on,
            record.provisional,
            record.serving,
            _harmless(record.reason),
        )


def _harmless(text: str) -> str:
    """A cell that a spreadsheet takes for text, never for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" and text else text
