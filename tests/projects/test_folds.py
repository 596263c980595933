"""Pictures that look alike share a fold, so that no network speaks of one that learned another."""

import hashlib
import random
from collections import Counter

import pytest

from labelhub.projects.folds import fold_of, folds_of
from labelhub.projects.models import FOLDS
from labelhub.projects.services import NewImage, add_images
from tests.factories import NOON, shapes_project


def sha256(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def looks(count: int) -> list[int]:
    drawn = random.Random(0)
    return [drawn.getrandbits(64) - 2**63 for _ in range(count)]


def test_a_picture_that_is_like_no_other_goes_by_its_hash() -> None:
    pictures = [(sha256(number), look) for number, look in enumerate([*looks(50), None, None])]
    assert folds_of(pictures, earlier=[]) == [fold_of(one) for one, _ in pictures]


def test_a_burst_shares_a_fold() -> None:
    look, *others = looks(150)
    burst = [(sha256(number), look ^ (1 << number)) for number in range(10)]
    earlier = [(other, number % FOLDS) for number, other in enumerate(others)]
    assert len(set(folds_of(burst, earlier=earlier))) == 1
    assert set(folds_of(burst, earlier=[*earlier, (look ^ 0b110, 7)])) == {7}


def test_of_two_that_it_is_like_the_more_alike_one_counts() -> None:
    look = looks(1)[0]
    earlier = [(look ^ 0b11111, 2), (look ^ 0b1, 6), (look ^ 0b111, 4)]
    assert folds_of([(sha256(0), look)], earlier=earlier) == [6]


def test_folds_stay_filled_where_everything_looks_alike() -> None:
    look = looks(1)[0]
    folds = folds_of([(sha256(number), look) for number in range(1_000)], earlier=[])
    sizes = Counter(folds)
    assert len(sizes) == FOLDS
    assert max(sizes.values()) < 300


def test_a_few_pictures_of_one_scene_never_lie_in_one_fold_alone() -> None:
    """The Gold of a new project: the other folds' networks must see some of it."""
    look = looks(1)[0]
    for count in (6, 10, 20, 60):
        folds = folds_of([(sha256(number), look) for number in range(count)], earlier=[])
        assert max(Counter(folds).values()) <= count / 2


@pytest.mark.django_db
def test_a_copy_that_comes_later_shares_the_fold_of_its_own_project_alone() -> None:
    project, other = shapes_project(), shapes_project(name="More")
    look, *_ = looks(1)
    first, copy = (NewImage(sha256(number), "one.png", 32, 32, look) for number in (1, 4))
    assert fold_of(first.sha256) != fold_of(copy.sha256)
    (there,) = add_images(project=project, pictures=[first], now=NOON).added
    (here,) = add_images(project=project, pictures=[copy], now=NOON).added
    (elsewhere,) = add_images(project=other, pictures=[copy], now=NOON).added
    assert here.fold == there.fold
    assert elsewhere.fold == fold_of(copy.sha256)
