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
def taught():
    """A function from targets (n, K) to what is then said of each image, (n, K): by the network
    that did not see it, and by the one that saw all."""
    images, labels = bars(IMAGES)
    describer = Describer.learned(images)
    features = describer.describe(images)
    pool, groups = Pool.of(features), np.arange(IMAGES) % FOLDS

    def teach(targets):
        lessons = Lessons(features, targets, groups)
        folds, served = train_heads(CONFIG, lessons, folds=FOLDS, describer=describer, pool=pool)
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
