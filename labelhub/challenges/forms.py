"""Reads what a browser sends with an answer."""

from django.http import QueryDict

from labelhub.challenges.refusals import BadAnswer
from labelhub.challenges.reporting import NOTHING_REPORTED, Reported

MOST_PLACES = 25


def selected(data: QueryDict) -> list[int]:
    """The places named by the checked boxes, or of a choice the class of the button, as sent.

    Raises BadAnswer for other than numbers.
    """
    return _numbers(data.getlist("selected"))


def reported(data: QueryDict) -> Reported:
    """The squares named as bad pictures, as sent. Raises BadAnswer for other than numbers."""
    if "reported" not in data:
        return NOTHING_REPORTED
    return Reported(tuple(_numbers(data.getlist("reported"))), data.get("reason", ""))


def _numbers(values: list[str]) -> list[int]:
    if len(values) > MOST_PLACES:
        raise BadAnswer(f"the answer names {len(values)} squares; a grid has fewer")
    try:
        return [int(value) for value in values]
    except ValueError:
        raise BadAnswer("the answer names something by other than a number") from None
