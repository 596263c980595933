"""A vote does not come back to its own image through a network."""

import numpy as np
import pytest

from classifier.config import TrainConfig
from classifier.features import Describer
from classifier.heads import Lessons, train_heads
from classifier.pool import Pool
from classifier.predict import logits, probabilities
from tests.classifier.pictures import bars, certain

CONFIG = TrainConfig(classes=3, recipe="features", image_size=16, channels=3)
FOLDS = 5
IMAGES = 60
ECHO = 0.01  # all that one image of so few moves: other folds' heads saw it, and they weigh its own


@pytest.fixture(scope="module")
def pictures():
    """Labels (n,), a describer, and features (n, FEATURES)."""
    images, labels = bars(IMAGES)
    describer = Describer.learned(images)
    return labels, describer, describer.describe(images)


@pytest.fixture(scope="module")
def taught(pictures):
    """A function from the targets (n, K) of each Round to what is said of each image after the last
    one, (n, K): by the network that did not see it, and by the one that saw all."""
    labels, describer, features = pictures
    pool, groups = Pool.of(features), np.arange(IMAGES) % FOLDS

    def teach(*rounds):
        networks = []
        for targets in rounds:  # each goes on from the one before
            lessons = Lessons(features, targets, groups)
            folds, served = train_heads(
                CONFIG, lessons, folds=FOLDS, describer=describer, pool=pool, earlier=networks
            )
            networks = [*folds, served]
        unseen = np.zeros((IMAGES, 3))
        for fold, network in enumerate(folds):
            own = groups == fold
            unseen[own] = probabilities(logits(network, features[own]))
        return unseen, probabilities(logits(served, features))

    return labels, teach


@pytest.mark.parametrize("image", [0, 7, 23])
def test_what_is_voted_of_an_image_does_not_come_back_to_it_as_its_prior(taught, image) -> None:
    labels, teach = taught
    before, seen_before = teach(certain(labels))
    targets = certain(labels).copy()
    targets[image] = np.roll(targets[image], 1)  # people now say another class of it
    after, seen_after = teach(targets)
    said = int(targets[image].argmax())
    assert seen_after[image, said] - seen_before[image, said] > 0.2, "who saw it learns it"
    assert np.abs(after[image] - before[image]).max() < ECHO
    assert after[image, said] - before[image, said] < ECHO / 5, "towards the vote"
    assert after[image].argmax() == before[image].argmax()


def test_nor_by_way_of_the_round_before(taught) -> None:
    labels, teach = taught
    targets = certain(labels).copy()
    targets[7] = np.roll(targets[7], 1)
    before, _ = teach(certain(labels), certain(labels))
    after, _ = teach(targets, targets, targets)
    assert np.abs(after[7] - before[7]).max() < ECHO


def test_a_round_that_goes_on_from_another_says_what_one_from_nothing_says(taught) -> None:
    labels, teach = taught
    others = certain((labels + (np.arange(IMAGES) % 10 == 0)) % 3)  # every tenth was called wrong
    afresh, seen_afresh = teach(certain(labels))
    gone_on, seen_gone_on = teach(others, certain(labels))
    assert np.abs(gone_on - afresh).max() < 0.02
    assert np.abs(seen_gone_on - seen_afresh).max() < 0.02
