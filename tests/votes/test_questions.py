"""What a question is worth: properties that hold for any belief and any crowd."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelhub.votes import aggregation, crowd
from labelhub.votes.arrays import Floats
from labelhub.votes.questions import (
    Costs,
    Questions,
    best_questions,
    choice_information,
    information_gain,
)

CLASSES = 4
SELECT = crowd.default_select_rates(CLASSES)
CHOICE = crowd.default_choice_rates(CLASSES)
UNKNOWN = np.full((1, CLASSES), 1 / CLASSES)
SURE = np.array([[0.999, 0.0005, 0.0003, 0.0002]])

weights = st.lists(st.floats(0.001, 1), min_size=CLASSES, max_size=CLASSES)
beliefs = weights.map(lambda row: np.array([row]) / sum(row))
crowds = st.lists(weights, min_size=CLASSES, max_size=CLASSES).map(
    lambda rows: np.array(rows) / np.sum(rows, axis=1, keepdims=True)
)


def best(
    p: Floats, *, choices: bool = True, costs: Costs | None = None, askable: int = CLASSES - 1
) -> Questions:
    return best_questions(
        p,
        select_rates=SELECT,
        choice_rates=CHOICE,
        askable=np.arange(askable),
        costs=costs or Costs(),
        choices=choices,
        images=np.arange(len(p)) + 1,
    )


def test_asking_about_a_probable_class_tells_more_than_about_an_improbable_one() -> None:
    gain = information_gain(np.array([[0.5, 0.3, 0.15, 0.05]]), SELECT)[0]
    assert list(np.argsort(-gain)) == [0, 1, 2, 3]
    assert (gain >= 0).all()


def test_asking_about_a_certain_image_tells_next_to_nothing() -> None:
    assert information_gain(SURE, SELECT).max() < 0.01
    assert choice_information(SURE, CHOICE).max() < 0.01


@given(beliefs, crowds)
def test_no_question_tells_less_than_nothing_or_more_than_is_unknown(p, crowd) -> None:
    unknown = aggregation.entropy(p)
    for told in (choice_information(p, crowd), information_gain(p, SELECT).max(axis=1)):
        assert (told >= -1e-9).all()
        assert (told <= unknown + 1e-9).all()


@given(beliefs)
def test_a_choice_of_people_who_never_err_tells_all_that_is_unknown(p) -> None:
    told = choice_information(p, np.eye(CLASSES))
    assert told == pytest.approx(aggregation.entropy(p))


@given(beliefs, weights)
def test_a_choice_of_people_who_do_not_look_tells_nothing(p, guesses) -> None:
    blind = np.tile(np.array(guesses) / sum(guesses), (CLASSES, 1))
    assert choice_information(p, blind) == pytest.approx(0, abs=1e-9)


@given(beliefs, crowds, st.permutations(range(CLASSES)))
def test_what_a_choice_tells_does_not_depend_on_the_order_of_the_classes(p, crowd, order) -> None:
    renamed = choice_information(p[:, order], crowd[np.ix_(order, order)])
    assert renamed == pytest.approx(choice_information(p, crowd))


@given(beliefs)
def test_a_yes_or_no_of_people_who_never_err_tells_no_more_than_their_choice(p) -> None:
    never_err = np.eye(CLASSES)
    yes_or_no = information_gain(p, never_err).max(axis=1)
    assert (yes_or_no <= choice_information(p, never_err) + 1e-6).all()


@given(beliefs)
def test_the_class_asked_is_an_askable_one_of_most_information(p) -> None:
    found = best(p)
    gains = information_gain(p, SELECT)[0, : CLASSES - 1]
    assert found.asked[0] in range(CLASSES - 1)
    assert gains[found.asked[0]] == pytest.approx(gains.max(), abs=1e-8)


@given(beliefs, st.floats(0.1, 20), st.floats(0.1, 20))
def test_the_form_is_the_one_that_tells_more_a_second(p, tile, choice) -> None:
    found = best(p, costs=Costs(tile=tile, choice=choice))
    assert found.as_choice[0] == (found.choice_rate[0] > found.tile_rate[0])
    assert found.rate[0] == max(found.choice_rate[0], found.tile_rate[0])
    assert found.choice_rate[0] == pytest.approx(choice_information(p, CHOICE)[0] / choice)


@given(beliefs)
def test_dearer_choices_are_asked_less(p) -> None:
    asked = [best(p, costs=Costs(choice=seconds)).as_choice[0] for seconds in (1, 2, 4, 8, 16)]
    assert all(cheap >= dear for cheap, dear in pairwise(asked))


@given(beliefs)
def test_a_project_without_choices_asks_none(p) -> None:
    found = best(p, choices=False, costs=Costs(choice=0.01))
    assert not found.as_choice.any()
    assert found.rate[0] == found.tile_rate[0]


def test_before_anything_is_known_each_class_is_asked_of_its_share_of_images() -> None:
    found = best(np.repeat(UNKNOWN, 300, axis=0))
    shares = np.bincount(found.asked, minlength=CLASSES) / 300
    assert shares[:3] == pytest.approx(1 / 3, abs=0.02)
    assert shares[3] == 0
    assert (best(np.repeat(UNKNOWN, 300, axis=0)).asked == found.asked).all()


def test_what_is_wholly_unknown_among_ten_is_a_choice_and_what_is_likely_a_yes_or_no() -> None:
    ten = 10
    unknown, likely = np.full(ten, 1 / ten), np.array([0.9, *[0.1 / (ten - 1)] * (ten - 1)])
    found = best_questions(
        np.stack([unknown, likely]),
        select_rates=crowd.default_select_rates(ten),
        choice_rates=crowd.default_choice_rates(ten),
        askable=np.arange(ten - 1),
        costs=Costs(),
        choices=True,
        images=np.array([1, 2]),
    )
    assert found.as_choice.tolist() == [True, False]
