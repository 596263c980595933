"""The arithmetic of the consensus: properties that hold for any votes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelhub.votes import aggregation
from labelhub.votes.aggregation import VoteTable
from labelhub.votes.crowd import Crowd, Skills

CLASSES = 4
votes_of_one_image = st.lists(
    st.tuples(st.integers(0, CLASSES - 1), st.booleans(), st.booleans()), max_size=30
)
ANYBODY = st.floats(-50, 50)  # how somebody differs from the crowd, on the logit scale
beliefs = st.lists(st.floats(0.001, 1), min_size=CLASSES, max_size=CLASSES).map(
    lambda weights: np.array(weights) / sum(weights)
)


def table(votes: list[tuple[int, bool, bool]]) -> VoteTable:
    if not votes:
        return VoteTable.empty()
    asked, answer, choice = (np.array(column) for column in zip(*votes, strict=True))
    nowhere = np.zeros(len(votes), dtype=np.int64)
    return VoteTable(nowhere, np.arange(len(votes)), asked, answer | choice, choice)


def consensus(votes: list[tuple[int, bool, bool]], prior: np.ndarray | None = None) -> np.ndarray:
    uniform = np.full((1, CLASSES), 1 / CLASSES)
    return aggregation.posterior(
        uniform if prior is None else prior[None],
        table(votes),
        Crowd.unmeasured(CLASSES),
    )[0]


@given(votes_of_one_image, st.randoms(use_true_random=False))
def test_the_order_of_votes_does_not_matter(votes, random) -> None:
    shuffled = list(votes)
    random.shuffle(shuffled)
    assert consensus(shuffled) == pytest.approx(consensus(votes), abs=1e-9)


@given(votes_of_one_image)
def test_a_consensus_is_a_distribution_and_never_certain(votes) -> None:
    p = consensus(votes)
    assert p.sum() == pytest.approx(1)
    assert np.isfinite(p).all()
    assert p.min() >= 0
    assert p.max() < 1 or len(votes) > 5


@given(votes_of_one_image, st.permutations(range(CLASSES)))
def test_relabelling_the_classes_permutes_the_result(votes, order) -> None:
    renamed = [(order[asked], answer, choice) for asked, answer, choice in votes]
    assert consensus(renamed)[list(order)] == pytest.approx(consensus(votes), abs=1e-9)


@given(votes_of_one_image, st.integers(0, CLASSES - 1))
def test_one_vote_more_is_one_addition(votes, asked) -> None:
    before = consensus(votes)
    at_once = consensus([*votes, (asked, True, False)])
    one_more = consensus([(asked, True, False)], prior=np.maximum(before, 1e-300))
    assert one_more == pytest.approx(at_once, abs=1e-6)


def test_no_votes_leave_the_prior_as_it_was() -> None:
    prior = np.array([0.7, 0.1, 0.1, 0.1])
    assert consensus([], prior) == pytest.approx(prior)


def test_a_yes_says_more_than_a_no() -> None:
    uniform = consensus([])
    moved_by_yes = np.abs(consensus([(0, True, False)]) - uniform).sum()
    moved_by_no = np.abs(consensus([(0, False, False)]) - uniform).sum()
    assert moved_by_yes > 3 * moved_by_no


def test_a_mixed_prior_makes_no_class_impossible() -> None:
    sure = np.array([[1.0, 0.0, 0.0, 0.0]])
    assert aggregation.mixed_prior(sure, 0.004).min() == pytest.approx(0.001)


def test_five_hundred_votes_give_numbers_not_nan() -> None:
    p = consensus([(0, True, False)] * 250 + [(1, True, False)] * 250)
    assert np.isfinite(p).all()
    assert p.sum() == pytest.approx(1)


def test_entropy_is_zero_for_certainty_and_log_k_for_ignorance() -> None:
    p = np.array([[1.0, 0, 0, 0], [0.25] * 4])
    assert aggregation.entropy(p) == pytest.approx([0, np.log(4)])


def test_one_image_weighs_by_what_its_votes_say() -> None:
    p = np.array([[0.25] * 4, [1.0, 0, 0, 0], [0.7, 0.1, 0.1, 0.1]])
    weights = aggregation.information_of_votes(p)
    assert weights[0] == pytest.approx(0)
    assert weights[1] == pytest.approx(1)
    assert 0 < weights[2] < 1


@given(beliefs)
def test_without_a_vote_nothing_is_surer_than_the_prior(prior) -> None:
    assert consensus([], prior) == pytest.approx(prior, abs=1e-12)
    mixed = aggregation.mixed_prior(prior[None], 0.003)[0]
    assert mixed.max() <= prior.max() + 1e-12
    assert mixed.sum() == pytest.approx(1)


@given(
    st.tuples(st.integers(0, CLASSES - 1), st.booleans(), st.booleans()),
    st.tuples(ANYBODY, ANYBODY, ANYBODY),
)
def test_one_vote_is_never_certain_whoever_casts_it(vote, offsets) -> None:
    skills = Skills(np.array([0]), *np.array(offsets)[:, None], counts=np.array([True]))
    crowd = replace(Crowd.unmeasured(CLASSES), skills=skills)
    unknown = np.full((1, CLASSES), 1 / CLASSES)
    [p] = aggregation.posterior(unknown, table([vote]), crowd)
    assert np.isfinite(p).all()
    assert p.max() < 0.999


@given(votes_of_one_image, beliefs, st.integers(0, 2**32 - 1))
def test_many_images_at_once_are_each_what_they_are_alone(votes, prior, seed) -> None:
    images = 5
    one = table(votes)
    rng = np.random.default_rng(seed)
    spread = replace(one, image=rng.integers(0, images, len(votes)))
    crowd = Crowd.unmeasured(CLASSES)
    at_once = aggregation.posterior(np.tile(prior, (images, 1)), spread, crowd)
    for image in range(images):
        own = spread.only(spread.image == image)
        alone = aggregation.posterior(prior[None], replace(own, image=own.image * 0), crowd)
        assert at_once[image] == pytest.approx(alone[0], abs=1e-12)
