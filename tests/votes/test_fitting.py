"""Fitting the annotator model: people are told apart, and nobody is believed for nothing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelhub.votes import aggregation
from labelhub.votes.aggregation import VoteTable
from labelhub.votes.arrays import Floats, Ints
from labelhub.votes.crowd import Crowd, Skills
from labelhub.votes.fitting import Fitted, fit

CLASSES = 4
ADA, CARLA, OSKAR = 1, 2, 3  # careful, careless, and answering at random
IMAGES = 600


def unknown(images: int) -> Floats:
    return np.full((images, CLASSES), 1 / CLASSES)


def gold(true: Ints) -> Floats:
    return np.eye(CLASSES)[true]


def played(
    true: Ints, people: dict[int, tuple[float, float]], seed: int, each: int | None = None
) -> VoteTable:
    """Yes/no votes of people with (hit, false alarm) rates on every image, or on ``each`` drawn."""
    rng = np.random.default_rng(seed)
    parts = []
    for person, (hit, alarm) in people.items():
        images = np.arange(len(true)) if each is None else rng.permutation(len(true))[:each]
        asked = np.where(
            rng.random(len(images)) < 0.5, true[images], rng.integers(0, CLASSES, len(images))
        )
        yes = rng.random(len(images)) < np.where(asked == true[images], hit, alarm)
        parts.append(
            (images, np.full(len(images), person), asked, yes, np.zeros(len(images), bool))
        )
    return VoteTable(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def chosen(true: Ints, people: dict[int, float], seed: int) -> VoteTable:
    """Choices of people who are right with such a probability, else anything."""
    rng = np.random.default_rng(seed)
    parts = []
    for person, right in people.items():
        said = np.where(rng.random(len(true)) < right, true, rng.integers(0, CLASSES, len(true)))
        truth = np.ones(len(true), dtype=bool)
        parts.append((np.arange(len(true)), np.full(len(true), person), said, truth, truth))
    return VoteTable(*(np.concatenate(column) for column in zip(*parts, strict=True)))


@pytest.fixture
def true() -> Ints:
    return np.random.default_rng(0).integers(0, CLASSES, IMAGES)


def of(fitted: Fitted, person: int) -> tuple[float, float, float, bool]:
    skills = fitted.crowd.skills.of(np.array([person]))
    return (
        float(skills.hits[0]),
        float(skills.alarms[0]),
        float(skills.choices[0]),
        bool(skills.counts[0]),
    )


def test_rates_fitted_on_much_gold_find_the_crowds_own(true) -> None:
    votes = played(true, dict.fromkeys(range(8), (0.6, 0.1)), seed=1)
    rates = fit(gold(true), votes, Crowd.unmeasured(CLASSES)).crowd.select_rates
    off = ~np.eye(CLASSES, dtype=bool)
    assert np.diag(rates) == pytest.approx(np.full(CLASSES, 0.6), abs=0.06)
    assert rates[off] == pytest.approx(np.full(off.sum(), 0.1), abs=0.06)


def test_without_votes_the_crowd_stays_what_it_was() -> None:
    start = Crowd.unmeasured(CLASSES)
    assert fit(unknown(0), VoteTable.empty(), start).crowd is start


def test_careful_ada_careless_carla_and_random_oskar_are_told_apart_without_gold(true) -> None:
    people = {ADA: (0.97, 0.01), CARLA: (0.6, 0.1), OSKAR: (0.5, 0.5)}
    crowd = dict.fromkeys(range(10, 16), (0.9, 0.03))
    fitted = fit(unknown(IMAGES), played(true, people | crowd, 2), Crowd.unmeasured(CLASSES))
    hits = [of(fitted, person)[0] for person in (ADA, CARLA, OSKAR)]
    alarms = [of(fitted, person)[1] for person in (ADA, CARLA, OSKAR)]
    assert hits == sorted(hits, reverse=True)
    assert alarms == sorted(alarms)
    assert [of(fitted, person)[3] for person in (ADA, CARLA, OSKAR)] == [True, True, False]
    assert (fitted.truth.argmax(axis=1) == true).mean() > 0.98


@pytest.mark.parametrize(
    "rates", [(0.5, 0.5), (0.999, 0.999), (0.001, 0.001), (0.05, 0.6)], ids=str
)
def test_who_answers_at_random_or_always_the_same_stops_counting(true, rates) -> None:
    crowd = dict.fromkeys(range(10, 16), (0.9, 0.03))
    votes = played(true, crowd | {OSKAR: rates}, seed=3, each=200)
    prior = aggregation.mixed_prior(0.7 * gold(true) + 0.3 * unknown(IMAGES), 0.003)
    fitted = fit(prior, votes, Crowd.unmeasured(CLASSES))
    assert not of(fitted, OSKAR)[3]
    assert all(of(fitted, person)[3] for person in crowd)


def test_an_annotator_who_stopped_counting_changes_nothing(true) -> None:
    votes = played(true, {ADA: (0.95, 0.02)}, seed=4)
    skills = replace(Skills.nobody(), annotators=np.array([OSKAR]), hits=np.zeros(1))
    skills = replace(skills, alarms=np.zeros(1), choices=np.zeros(1), counts=np.array([False]))
    crowd = replace(Crowd.unmeasured(CLASSES), skills=skills)
    both = played(true, {ADA: (0.95, 0.02), OSKAR: (0.5, 0.5)}, seed=4)
    alone = aggregation.posterior(unknown(IMAGES), votes, crowd)
    assert aggregation.posterior(unknown(IMAGES), both, crowd) == pytest.approx(alone)


def test_a_newcomer_counts_like_the_crowd(true) -> None:
    votes = played(true, {ADA: (0.95, 0.02), CARLA: (0.7, 0.1)}, seed=5)
    fitted = fit(gold(true), votes, Crowd.unmeasured(CLASSES)).crowd
    newcomer = VoteTable(
        np.array([0]), np.array([99]), np.array([1]), np.array([True]), np.array([False])
    )
    told = np.exp(aggregation.vote_evidence(newcomer, fitted)[0])
    assert told == pytest.approx(fitted.select_rates[:, 1], abs=1e-6)


def test_lone_votes_on_images_of_which_nothing_is_known_say_nothing_of_their_author(true) -> None:
    every = np.ones(IMAGES, dtype=bool)  # ADA was always asked for the class that is there
    votes = VoteTable(np.arange(IMAGES), np.full(IMAGES, ADA), true, every, ~every)
    start = Crowd.unmeasured(CLASSES)
    assert fit(unknown(IMAGES), votes, start).crowd is start


def test_three_votes_do_not_make_a_spammer_or_an_expert(true) -> None:
    crowd = dict.fromkeys(range(10, 30), (0.9, 0.03))
    votes = played(true, crowd, seed=6, each=100)
    one = VoteTable(
        np.array([0, 1, 2]),
        np.full(3, OSKAR),
        true[:3],
        np.zeros(3, dtype=bool),
        np.zeros(3, dtype=bool),
    )
    all_votes = VoteTable(
        *(
            np.concatenate([getattr(votes, name), getattr(one, name)])
            for name in ("image", "annotator", "asked", "answer", "choice")
        )
    )
    hits, _, _, counts = of(fit(gold(true), all_votes, Crowd.unmeasured(CLASSES)), OSKAR)
    assert counts
    assert -2.5 < hits < 0


def test_choices_of_a_guesser_stop_counting_and_confusions_of_the_crowd_are_learned(true) -> None:
    people = dict.fromkeys(range(10, 18), 0.9) | {CARLA: 0.6, OSKAR: 0.0}
    votes = chosen(true, people, seed=7)
    alike = votes.choice & (votes.annotator != OSKAR) & (true[votes.image] == 0)
    said = np.where(alike & (votes.asked == 2), 1, votes.asked)  # class 0 is taken for 1, never 2
    fitted = fit(unknown(IMAGES), replace(votes, asked=said), Crowd.unmeasured(CLASSES))
    assert not of(fitted, OSKAR)[3]
    assert of(fitted, CARLA)[2] < 0 < of(fitted, 10)[2] + 1
    rates = fitted.crowd.choice_rates
    assert rates.sum(axis=1) == pytest.approx(np.ones(CLASSES))
    assert rates[0, 1] > 2 * rates[0, 2]


def test_the_chances_of_all_choices_of_anybody_sum_to_one() -> None:
    crowd = Crowd.unmeasured(CLASSES)
    for offset in (-5.0, -1.0, 0.0, 2.0):
        skills = Skills(
            np.array([ADA]), np.zeros(1), np.zeros(1), np.array([offset]), np.array([True])
        )
        offsets = skills.of(np.full(CLASSES, ADA))
        chances = crowd.choice_chances(np.arange(CLASSES), offsets)  # (choices, K)
        assert chances.sum(axis=0) == pytest.approx(np.ones(CLASSES), abs=0.01)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_any_votes_give_numbers_and_no_certainty_from_nothing(seed, count) -> None:
    rng = np.random.default_rng(seed)
    choice = rng.random(count) < 0.3
    votes = VoteTable(
        rng.integers(0, 5, count),
        rng.integers(0, 4, count),
        rng.integers(0, CLASSES, count),
        (rng.random(count) < 0.5) | choice,
        choice,
    )
    fitted = fit(unknown(6), votes, Crowd.unmeasured(CLASSES))
    assert np.isfinite(fitted.truth).all()
    assert fitted.truth[5] == pytest.approx(np.full(CLASSES, 1 / CLASSES))  # nobody said anything
    for rates in (fitted.crowd.select_rates, fitted.crowd.choice_rates):
        assert ((rates > 0) & (rates < 1)).all()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.permutations(range(CLASSES)))
def test_neither_the_order_of_votes_nor_the_names_of_classes_matter(seed, names) -> None:
    true = np.random.default_rng(seed).integers(0, CLASSES, 60)
    votes = played(true, {ADA: (0.9, 0.05), CARLA: (0.6, 0.1), OSKAR: (0.5, 0.5)}, seed)
    order = np.random.default_rng(seed).permutation(len(votes.image))
    columns = ("image", "annotator", "asked", "answer", "choice")
    shuffled = VoteTable(*(getattr(votes, name)[order] for name in columns))
    renamed = replace(shuffled, asked=np.array(names)[shuffled.asked])
    start = Crowd.unmeasured(CLASSES)
    plain = fit(unknown(60), votes, start).truth
    assert fit(unknown(60), renamed, start).truth[:, list(names)] == pytest.approx(plain, abs=1e-6)


def test_a_prior_that_is_not_finite_is_refused(true) -> None:
    prior = unknown(IMAGES)
    prior[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        fit(prior, played(true, {ADA: (0.9, 0.1)}, 8), Crowd.unmeasured(CLASSES))


def test_skills_come_back_from_their_bytes_as_they_are_used() -> None:
    skills = Skills(
        np.array([3, 2**40]),
        np.array([0.5, -1.25]),
        np.array([0.0, 2.5]),
        np.array([1.5, 0.25]),
        np.array([True, False]),
    )
    back = Skills.from_bytes(skills.to_bytes())
    for name, column in vars(skills).items():
        assert getattr(back, name).tolist() == column.tolist()
    assert len(Skills.from_bytes(b"").annotators) == 0


def test_hundreds_of_people_with_one_vote_each_count_like_the_crowd(true) -> None:
    rng = np.random.default_rng(9)
    image = np.repeat(np.arange(100), 3)
    asked = np.where(rng.random(300) < 0.5, true[image], rng.integers(0, CLASSES, 300))
    yes = rng.random(300) < np.where(asked == true[image], 0.9, 0.03)
    votes = VoteTable(image, np.arange(300), asked, yes, np.zeros(300, dtype=bool))
    fitted = fit(unknown(100), votes, Crowd.unmeasured(CLASSES))
    skills = fitted.crowd.skills
    assert np.isfinite(fitted.truth).all()
    assert fitted.truth.max() < 1
    assert skills.counts.all()
    for offsets in (skills.hits, skills.alarms, skills.choices):
        assert np.abs(offsets).max() < 2.5


def test_classes_that_nobody_was_asked_about_keep_rates_like_the_others(true) -> None:
    votes = played(true, dict.fromkeys(range(8), (0.8, 0.05)), seed=10)
    votes = votes.only(votes.asked < 2)
    fitted = fit(gold(true), votes, Crowd.unmeasured(CLASSES))
    hits = np.diag(fitted.crowd.select_rates)
    assert np.isfinite(fitted.truth).all()
    assert hits[2:] == pytest.approx(np.full(2, hits[:2].mean()), abs=0.08)
    assert ((fitted.crowd.select_rates > 0) & (fitted.crowd.select_rates < 1)).all()


def test_votes_that_contradict_gold_never_move_it_and_cost_their_author_his_weight(true) -> None:
    votes = played(true, dict.fromkeys(range(10, 14), (0.9, 0.03)) | {OSKAR: (0.05, 0.8)}, seed=11)
    fitted = fit(gold(true), votes, Crowd.unmeasured(CLASSES))
    assert (fitted.truth.argmax(axis=1) == true).all()
    assert fitted.truth.max(axis=1).min() > 0.99
    assert not of(fitted, OSKAR)[3]
    everybody = played(true, dict.fromkeys(range(4), (0.05, 0.8)), seed=12)
    upside_down = fit(gold(true), everybody, Crowd.unmeasured(CLASSES))
    assert np.isfinite(upside_down.truth).all()
    assert (upside_down.truth.argmax(axis=1) == true).all()


def test_five_hundred_votes_on_one_image_are_fitted_to_numbers() -> None:
    people, every = np.arange(500), np.ones(500, dtype=bool)
    votes = VoteTable(people // 499, people, people % 2, every, ~every)  # half say 0, half 1
    fitted = fit(unknown(2), votes, Crowd.unmeasured(CLASSES))
    assert np.isfinite(fitted.truth).all()
    assert fitted.truth.sum(axis=1) == pytest.approx(np.ones(2))
    assert all(np.isfinite(column).all() for column in vars(fitted.crowd.skills).values())
