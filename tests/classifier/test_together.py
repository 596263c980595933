"""Networks of one reading say in one pass what each of them says alone."""

import numpy as np
import torch

from classifier.config import TrainConfig
from classifier.features import FEATURES
from classifier.model import build
from classifier.predict import logits
from classifier.recipes.features import FeatureNetwork
from classifier.together import in_one_reading
from tests.classifier.pictures import small_config


def heads(seed: int, *, mean: float = 0.5) -> FeatureNetwork:
    """A network of random heads over features of this mean."""
    network = build(TrainConfig(classes=3, recipe="features", image_size=16, seed=seed))
    assert isinstance(network, FeatureNetwork)
    network.get_buffer("mean").fill_(mean)
    return network.eval()


def test_one_pass_says_what_each_network_says_alone() -> None:
    networks = [heads(seed) for seed in range(4)]
    networks[2].weigh(torch.tensor([0.4, 0.3, 0.1, 0.1, 0.1]))  # heads of one may count otherwise
    features = np.random.default_rng(0).normal(size=(9, FEATURES)).astype(np.float16)
    together = in_one_reading(*networks)
    assert together is not None
    said = logits(together, features, device="cpu").reshape(9, 4, 3)
    for number, network in enumerate(networks):
        alone = logits(network, features, device="cpu")
        assert np.allclose(said[:, number], alone, atol=1e-5)


def test_a_picture_is_read_once_for_all(monkeypatch) -> None:
    networks = [heads(seed) for seed in range(5)]
    readings = []
    real = FeatureNetwork.read

    def counted(network, features):
        readings.append(len(features))
        return real(network, features)

    monkeypatch.setattr(FeatureNetwork, "read", counted)
    together = in_one_reading(*networks)
    assert together is not None
    logits(together, np.zeros((6, FEATURES), dtype=np.float16), device="cpu")
    assert readings == [6]


def test_networks_that_read_otherwise_are_asked_one_by_one() -> None:
    assert in_one_reading(heads(0), heads(1, mean=0.25)) is None
    assert in_one_reading(heads(0), build(small_config())) is None
    assert in_one_reading(build(small_config()), build(small_config(seed=1))) is None
    assert in_one_reading(heads(0)) is None  # one network needs no company
