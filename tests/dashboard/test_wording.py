"""How numbers, shares and times are said."""

from datetime import timedelta

import pytest

from labelhub.dashboard.answers import wilson
from labelhub.dashboard.wording import ago, ahead, duration, names, number, percent
from tests.factories import NOON


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0"), (0.001, "1"), (0.5, "50"), (0.914, "91"), (0.999, "99"), (1, "100")],
)
def test_neither_all_nor_nothing_is_said_before_it_is_true(share: float, words: str) -> None:
    assert percent(share) == f"{words}\u00a0%"


def test_thousands_stand_apart() -> None:
    assert number(1_234_567) == "1,234,567"


def test_many_names_are_counted() -> None:
    assert names(["ring"]) == "ring"
    assert names(["ring", "star"]) == "ring and star"
    assert names(["ring", "star", "bus", "car", "cat"]) == "ring, star, bus and 2 more"


def test_a_time_is_said_in_words_with_the_exact_one_beside() -> None:
    said = ago(NOON - timedelta(minutes=3, seconds=20), NOON)
    assert said.words == "3\u00a0minutes ago"
    assert said.exact == "14 March 2026, 11:56:40 UTC"
    assert ago(NOON, NOON).words == "just now"
    assert ahead(NOON + timedelta(minutes=5), NOON).words == "12:05 UTC, in 5\u00a0minutes"
    assert ahead(NOON + timedelta(hours=13), NOON).words.startswith("15 March, 01:00 UTC")


def test_a_short_time_is_said_in_seconds_a_longer_one_in_minutes() -> None:
    assert duration(1) == "1 second"
    assert duration(119.4) == "119 seconds"
    assert duration(300) == "5 minutes"


def test_wilsons_interval_is_that_of_the_textbook() -> None:
    low, high = wilson(0.5, 10)
    assert (low, high) == (pytest.approx(0.2366, abs=1e-4), pytest.approx(0.7634, abs=1e-4))
    assert wilson(1.0, 20)[1] == pytest.approx(1.0)
