"""Several networks that answer as one, saved and read as one."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from classifier import checkpoint
from classifier.ensemble import EnsembleNetwork, Readings, members_of
from classifier.features import FEATURES
from classifier.model import build
from classifier.predict import logits
from tests.classifier.pictures import bars, small_config

CONFIG = small_config(recipe="features+seed")
IMAGES, _ = bars(5)


def ensemble() -> EnsembleNetwork:
    network = build(CONFIG)
    assert isinstance(network, EnsembleNetwork)
    network.weigh(torch.tensor([0.3, 0.9]))
    return network.eval()


def test_it_says_its_members_log_softmax_weighed() -> None:
    network = ensemble()
    pixels = torch.from_numpy(IMAGES).permute(0, 3, 1, 2)
    with torch.inference_mode():
        one, other = (functional.log_softmax(m(pixels), dim=1) for m in members_of(network))
        assert torch.allclose(network(pixels), 0.3 * one + 0.9 * other, atol=1e-5)


def test_features_read_from_disk_say_what_the_pictures_say() -> None:
    network = ensemble()
    features, _ = members_of(network)
    described = features.describer.describe(IMAGES)
    assert described.shape == (5, FEATURES)
    from_disk = logits(network, Readings((described, IMAGES)), batch_size=2, device="cpu")
    assert np.allclose(from_disk, logits(network, IMAGES, device="cpu"), atol=0.02)
    with pytest.raises(ValueError, match="images must be"):
        logits(network, Readings((described.astype(np.float32), IMAGES)))


def test_it_is_saved_and_read_as_one_file_and_what_members_share_lies_beside(
    tmp_path: Path,
) -> None:
    network, path = ensemble(), tmp_path / "both.safetensors"
    sha256 = checkpoint.save(path, network, CONFIG, {}, alone=False)
    found = checkpoint.load(path, expected_sha256=sha256)
    assert found.common is not None
    assert (tmp_path / f"{found.common}.safetensors").is_file()
    same = logits(found.network, IMAGES, device="cpu")
    assert np.array_equal(same, logits(network, IMAGES, device="cpu"))


def test_a_recipe_joined_of_an_unknown_one_is_refused() -> None:
    with pytest.raises(ValueError, match="'alchemy' is unknown"):
        build(small_config(recipe="seed+alchemy"))
