"""What a version shows by itself: a training that went wrong never serves, not even the first."""

from collections.abc import Sequence

import numpy as np
import pytest

from tests.workers.gate.given import FOLDS, LABELS, TAUGHT, K, judged, sound, sure, swapped
from workers.promotion import Opinions, Recount


def nowhere(said: np.ndarray) -> np.ndarray:
    """The same with one number missing."""
    said = said.copy()
    said[..., 3, 0] = np.nan
    return said


@pytest.mark.parametrize("who", ["by_fold", "served"])
def test_a_network_that_says_no_number_of_any_image_is_refused(who: str) -> None:
    broken = sound(**{who: nowhere(getattr(sound(), who))})
    answer = judged(opinions=broken)
    assert (answer.promote, answer.reason) == (False, "the network's probabilities are not numbers")


def test_the_served_network_has_to_say_numbers_of_what_is_measured() -> None:
    assert not judged(sure(0.9), served=nowhere(sure(0.9))).promote


def test_an_image_that_the_version_in_service_says_nothing_of_is_no_reason() -> None:
    assert judged(old=sure(0.9), opinions=sound(before=nowhere(sure(0.8, TAUGHT)))).promote


@pytest.mark.parametrize(
    ("images", "differing", "promote"), [(500, 5, True), (500, 6, False), (0, 0, True)]
)
def test_labels_that_are_not_what_people_said_are_refused(
    images: int, differing: int, *, promote: bool
) -> None:
    answer = judged(recount=Recount(images, differing))
    assert (answer.promote, answer.labels_hold) == (promote, promote)
    assert promote or answer.reason == (
        f"{differing} of {images} labels that it was to learn are not what Gold and votes say: "
        "they were changed on their way to the training"
    )


def test_labels_that_do_not_hold_are_told_of_whatever_else_is_wrong() -> None:
    """Nothing that a Round made of them may be put in force."""
    answer = judged(np.full((100, K), np.nan), recount=Recount(500, 60))
    assert "not numbers" in answer.reason
    assert not answer.labels_hold


def test_a_network_whose_card_names_other_labels_is_refused_by_name() -> None:
    answer = judged(mistaught=["fold network 3", "the network to serve"])
    assert not answer.promote
    assert answer.labels_hold
    assert answer.reason == (
        "fold network 3 was taught other labels than the snapshot has: they were changed on their "
        "way to the training"
    )


@pytest.mark.parametrize(("hits", "promote"), [(37, False), (38, True)])
def test_a_network_is_right_on_half_as_many_again_as_guessing(hits: int, *, promote: bool) -> None:
    said = np.where(np.arange(100)[:, None] < hits, sure(0.9), np.roll(sure(0.9), 1, axis=1))
    answer = judged(said, labels=LABELS)
    assert answer.promote == promote
    assert promote or answer.reason == (
        f"right on {hits}.0% of 100 Gold images: hardly better than guessing"
    )


def of_shares(shares: Sequence[float], images: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) of which each class has such a share, and a network that knows only these."""
    labels = np.repeat(np.arange(K), [round(share * images) for share in shares])
    return np.tile(np.array(shares), (len(labels), 1)), labels


@pytest.mark.parametrize(
    "shares", [(0.5, 0.5, 0, 0), (0.6, 0.4, 0, 0), (0.9, 0.1, 0, 0), (0.97, 0.01, 0.01, 0.01)]
)
def test_a_network_that_knows_only_which_classes_are_common_is_refused(
    shares: tuple[float, ...],
) -> None:
    said, labels = of_shares(shares)
    answer = judged(said, labels=labels)
    assert not answer.promote
    assert answer.reason.endswith(": no better than calling all of them cat")


def test_one_that_calls_all_the_same_but_is_less_sure_where_it_is_wrong_serves() -> None:
    """By that the rare class is found: its images are the most uncertain."""
    said, labels = of_shares((0.9, 0.1, 0, 0))
    said[labels == 1] = (0.6, 0.4, 0, 0)
    said[labels == 0] = (0.95, 0.05, 0, 0)
    assert judged(said, labels=labels).promote


def test_one_class_alone_is_known_by_calling_all_the_same() -> None:
    said, labels = of_shares((1, 0, 0, 0))
    assert judged(said, labels=labels).promote


@pytest.mark.parametrize(
    ("images", "missed", "promote"),
    [
        (12, 1, True),
        (12, 3, True),
        (12, 4, False),
        (100, 2, True),
        (100, 3, True),
        (100, 4, False),
    ],
)
def test_a_served_network_that_misses_more_than_chance_behind_its_folds_is_refused(
    images: int, missed: int, *, promote: bool
) -> None:
    labels = LABELS[:images]
    served = sure(0.9, labels)
    served[:missed] = np.roll(served[:missed], 1, axis=1)
    answer = judged(labels=labels, served=served)
    assert answer.promote == promote
    assert promote or "its training went wrong" in answer.reason


def test_a_served_network_that_fits_its_lessons_worse_than_those_not_taught_is_refused() -> None:
    answer = judged(opinions=sound(served=sure(0.3, TAUGHT)))
    assert not answer.promote
    assert (
        "the network to serve fits the labels that it was taught worse than the fold networks "
        "that were not taught them, by 0.95 nats an image: its training went wrong"
    ) in answer.reason
    assert answer.figures["served_misfit_rise"] == pytest.approx(0.9543, abs=1e-3)


@pytest.mark.parametrize(("share", "promote"), [(0.75, True), (0.7, False)])
def test_a_served_network_may_be_a_little_less_sure_than_its_folds(
    share: float, *, promote: bool
) -> None:
    """They gave 0.8 to what they were not taught: a tenth of a nat below is 0.72."""
    assert judged(opinions=sound(served=sure(share, TAUGHT))).promote == promote


def leaning(labels: np.ndarray) -> np.ndarray:
    """(n, K) that give a bit more to the class after the label than to the label."""
    return (0.4 * np.eye(K) + 0.6 * np.roll(np.eye(K), 1, axis=1))[labels]


def contradicting(who: int, count: int) -> Opinions:
    """A fold network, or the served one after them, that says another class than it was taught of
    so many images."""
    about = sound()
    said = np.concatenate([about.by_fold, about.served[None]])
    rows = np.flatnonzero(who != FOLDS)[:count]
    said[who, rows] = leaning(TAUGHT)[rows]
    return sound(by_fold=said[:3], served=said[3])


@pytest.mark.parametrize(
    ("who", "count", "named", "share"),
    [(1, 5, "fold network 2", "12.5%"), (3, 7, "the network to serve", "11.7%")],
)
def test_a_network_that_contradicts_what_it_was_taught_was_taught_other_labels(
    who: int, count: int, named: str, share: str
) -> None:
    answer = judged(opinions=contradicting(who, count))
    assert not answer.promote
    assert answer.reason.endswith(
        f"but {named} contradicts the labels of {count} images that it was taught ({share}), and "
        "networks that were not taught them say them: it was taught other labels"
    )


@pytest.mark.parametrize(("who", "count"), [(0, 4), (3, 6)])
def test_a_tenth_of_few_labels_is_no_reason(who: int, count: int) -> None:
    """A fold network was taught forty, the served one sixty."""
    assert judged(opinions=contradicting(who, count)).promote


@pytest.mark.parametrize(("contradicted", "promote"), [(2, True), (3, False)])
def test_three_images_of_fewer_than_thirty_are_a_reason(
    contradicted: int, *, promote: bool
) -> None:
    about = mistaken(3, [], images=24)
    about.served[:contradicted] = sure(0.1, about.labels)[:contradicted]
    assert judged(opinions=about).promote == promote


@pytest.mark.parametrize(("contradicted", "promote"), [(10, True), (11, False)])
def test_of_hundreds_more_than_ten_are_a_reason(contradicted: int, *, promote: bool) -> None:
    about = mistaken(10, [], images=400)
    about.served[:contradicted] = sure(0.1, about.labels)[:contradicted]
    assert judged(opinions=about).promote == promote


def test_a_label_that_no_other_network_says_either_is_no_reason() -> None:
    """It is a mistake of people, or hard; to learn it by heart is not asked."""
    about = sound()
    by_fold, served, before = about.by_fold.copy(), about.served.copy(), about.before.copy()
    for said in (*by_fold, served, before):
        said[:9] = sure(0.1, TAUGHT)[:9]
    answer = judged(opinions=sound(by_fold=by_fold, served=served, before=before))
    assert answer.promote, answer.reason


def mistaken(networks: int, shares: Sequence[float], images: int = 600) -> Opinions:
    """Fold networks, and the served one, that contradict such shares of their labels at random."""
    rng = np.random.default_rng(0)
    labels, folds = np.arange(images) % K, np.arange(images) % networks
    said = np.stack([sure(0.9, labels)] * (networks + 1))
    for number, share in enumerate(shares):
        wrong = rng.random(images) < share
        said[number, wrong] = leaning(labels)[wrong]
    return Opinions(labels, folds, said[:-1], said[-1], before=np.full((images, K), np.nan))


def test_what_networks_taught_alike_differ_by_is_no_reason() -> None:
    """Two trainings of a whole network agree only roughly on what they were taught."""
    answer = judged(opinions=mistaken(3, [0.1, 0.1, 0.1, 0.1]))
    assert answer.promote, answer.reason
    assert answer.figures["contradicted"] == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize(("contradicted", "promote"), [(16, True), (17, False)])
def test_a_few_in_a_thousand_are_contradicted_by_sound_networks_too(
    contradicted: int, *, promote: bool
) -> None:
    """One in a hundred is usual, ten of a thousand, and twice the root of ten more is chance."""
    about = mistaken(10, [], images=1000)
    about.served[:contradicted] = sure(0.1, about.labels)[:contradicted]
    assert judged(opinions=about).promote == promote


@pytest.mark.parametrize("folds", [2, 3, 10])
@pytest.mark.parametrize("spoilt", [0, -1])
def test_one_spoilt_network_does_not_pass_for_what_networks_differ_by(
    folds: int, spoilt: int
) -> None:
    shares = [0.02] * (folds + 1)
    shares[spoilt] = 0.1
    answer = judged(opinions=mistaken(folds, shares))
    assert not answer.promote
    assert ("the network to serve" if spoilt else "fold network 1") + " contradicts" in (
        answer.reason
    )


def test_two_classes_that_stand_for_each_other_are_named() -> None:
    answer = judged(swapped(sure(0.9)))
    assert answer.reason == (
        "right on 50.0% of 100 Gold images, but it takes cat for dog or the other way round on 50 "
        "images, and is right on 0 of these classes: they were swapped"
    )
    assert "takes class 0 for class 1" in judged(swapped(sure(0.9)), classes=()).reason


def test_swapped_classes_are_seen_among_what_was_taught_where_few_images_are_measured() -> None:
    few = LABELS[2:4]  # neither a cat nor a dog is among them
    said = sure(0.9, few)
    mistaken = swapped(sure(0.8, TAUGHT))
    about = sound(by_fold=np.stack([mistaken] * 3), served=mistaken)
    assert judged(said, labels=few, opinions=sound()).promote
    answer = judged(said, labels=few, opinions=about)
    assert "it takes cat for dog or the other way round on 30 images" in answer.reason


@pytest.mark.parametrize(("straight", "promote"), [(14, True), (6, False)])
def test_a_swap_is_told_from_the_toss_of_a_coin(straight: int, *, promote: bool) -> None:
    """Of fifty cats and dogs sixteen pass for a cow, so many for themselves, others are swapped."""
    said, both = swapped(sure(0.9)), np.flatnonzero(LABELS < 2)
    said[both[:16]] = sure(0.9)[2]
    said[both[16 : 16 + straight]] = sure(0.9)[both[16 : 16 + straight]]
    assert judged(said).promote == promote


@pytest.mark.parametrize("mistaken", [(0,), (0, 1)])
def test_classes_that_are_merely_alike_pass(mistaken: tuple[int, ...]) -> None:
    """All cats taken for dogs is no swap, and neither is a toss of a coin between both."""
    said, other = sure(0.9), swapped(sure(0.9))
    rows = np.isin(LABELS, mistaken) & ((np.arange(100) % 8 < 4) | (len(mistaken) == 1))
    said[rows] = other[rows]
    answer = judged(said)
    assert answer.promote, answer.reason


def test_a_sound_first_version_serves_and_its_figures_are_told() -> None:
    answer = judged(opinions=sound(), recount=Recount(100, 0))
    assert answer.promote
    assert answer.reason == "right on 100.0% of 100 Gold images; the first version in service"
    assert answer.figures.keys() >= {
        "labels_differing",
        "accuracy",
        "served_misfit_rise",
        "contradicted",
    }


def test_without_any_image_to_ask_the_networks_about_nothing_is_held_against_them() -> None:
    none = np.zeros((0, K))
    empty = Opinions(TAUGHT[:0], FOLDS[:0], np.stack([none] * 3), none, none)
    assert judged(opinions=empty).promote
