"""The recipe ``features``: a frozen backbone, a learned dictionary, heads on top."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from classifier import backbone, checkpoint, fitting, heads, patches
from classifier.config import TrainConfig
from classifier.features import FEATURES, BadDescriber, Describer
from classifier.heads import Lessons, train_heads
from classifier.model import build
from classifier.pool import Pool
from classifier.predict import logits, probabilities
from classifier.recipes.features import FeatureNetwork
from tests.classifier.pictures import bars, certain

CONFIG = TrainConfig(classes=3, recipe="features", image_size=16, channels=3)


@pytest.fixture(scope="module")
def described():
    """Forty pictures, their labels, the describer learned from them and its features."""
    images, labels = bars(40)
    describer = Describer.learned(images)
    return images, labels, describer, describer.describe(images)


def trained(described, *, targets=None, shelf=None, **changes):
    _, labels, describer, features = described
    targets = certain(labels) if targets is None else targets
    lessons = Lessons(shelf or features, targets, np.arange(len(labels)) % 5)
    return train_heads(
        CONFIG,
        lessons,
        folds=5,
        describer=describer,
        pool=Pool.of(features),
        **changes,
    )


def test_the_pretrained_backbone_reads_its_own_weights() -> None:
    with torch.inference_mode():
        seen = backbone.pretrained()(torch.full((2, 3, 16, 16), 127.0))
    assert seen.shape == (2, backbone.FEATURES)
    assert seen.isfinite().all()
    assert seen[:, : backbone.SEEN].std() > 0.01


def test_the_backbone_looks_closely_and_from_afar() -> None:
    """Fine stripes are there for the close look, and nearly grey for the one from afar."""
    stripes = torch.zeros(1, 3, 128, 128)
    stripes[..., ::2] = 254.0
    with torch.inference_mode():
        striped, grey = (
            backbone.pretrained()(one) for one in (stripes, torch.full_like(stripes, 127.0))
        )
    apart = (striped - grey).abs()[0]
    close, afar = apart[backbone.SEEN :].split(backbone.WHERE)
    assert close.mean() > 2 * afar.mean()


def test_no_feature_of_a_blank_picture_is_infinite(described) -> None:
    blank = np.zeros((1, 16, 16, 3), dtype=np.uint8)
    assert np.isfinite(described[2].describe(blank)).all()
    assert described[2].describe(blank[:0]).shape == (0, FEATURES)


def test_a_dictionary_is_the_same_for_the_same_pictures() -> None:
    images, _ = bars(12)
    first, second = (patches.learn_dictionary(images) for _ in range(2))
    assert torch.equal(first.filters, second.filters)
    with pytest.raises(ValueError, match="no pictures"):
        patches.learn_dictionary(images[:0])


def test_a_describer_is_found_again_under_its_name(described, tmp_path) -> None:
    describer = described[2]
    describer.save(tmp_path / "dictionary")
    assert Describer.load(tmp_path / "dictionary").name == describer.name
    (tmp_path / "dictionary").write_bytes(b"broken")
    with pytest.raises(BadDescriber):
        Describer.load(tmp_path / "dictionary")


def test_heads_tell_pictures_apart_that_they_did_not_see(described) -> None:
    _, labels, _, features = described
    folds, served = trained(described)
    assert len(folds) == 5
    for fold, network in enumerate(folds):
        unseen = np.arange(len(labels)) % 5 == fold
        right = logits(network, features[unseen]).argmax(axis=1) == labels[unseen]
        assert right.mean() > 0.6
    assert (logits(served, features).argmax(axis=1) == labels).mean() > 0.9


def test_a_fold_network_learns_nothing_from_its_own_fold(described) -> None:
    _, labels, _, _ = described
    before, _ = trained(described)
    changed = certain(labels).copy()
    changed[0] = [0.0, 0.0, 1.0] if labels[0] != 2 else [1.0, 0.0, 0.0]
    after, _ = trained(described, targets=changed)
    for head in range(len(before[0].heads)):  # image 0 is of fold 0
        assert torch.equal(before[0].heads[head].weight, after[0].heads[head].weight)
        assert torch.equal(before[0].heads[head].bias, after[0].heads[head].bias)
    assert not torch.allclose(before[1].heads[0].weight, after[1].heads[0].weight, atol=1e-3)


def test_an_image_about_which_nothing_was_said_teaches_nothing(described) -> None:
    _, labels, describer, features = described
    lessons = Lessons(features, certain(labels), np.arange(len(labels)) % 5)
    silent = Lessons(
        np.concatenate([features, features[:5]]),
        np.concatenate([certain(labels), np.full((5, 3), 1 / 3)]),
        np.concatenate([np.arange(len(labels)) % 5, np.arange(5)]),
    )
    arguments = {"folds": 5, "describer": describer, "pool": Pool.of(features)}
    _, plain = train_heads(CONFIG, lessons, **arguments)
    _, with_silent = train_heads(CONFIG, silent, **arguments)
    assert torch.allclose(plain.heads[0].weight, with_silent.heads[0].weight, atol=5e-3)


def test_pictures_and_the_features_that_stand_for_them_give_the_same_logits(described) -> None:
    images, _, _, features = described
    _, served = trained(described)
    assert logits(served, images) == pytest.approx(logits(served, features), abs=0.02)


def test_a_network_comes_back_from_its_file_without_the_backbone(described, tmp_path) -> None:
    _, _, _, features = described
    _, served = trained(described)
    path = tmp_path / "network.safetensors"
    checkpoint.save(path, served, CONFIG, {})
    assert path.stat().st_size < 6_000_000
    loaded = checkpoint.load(path).network
    assert logits(loaded, features) == pytest.approx(logits(served, features), abs=1e-5)


def test_what_networks_have_in_common_lies_beside_them_once(described, tmp_path) -> None:
    _, _, _, features = described
    folds, served = trained(described)
    paths = [tmp_path / f"{number}.safetensors" for number in range(2)]
    for path, network in zip(paths, (folds[0], served), strict=True):
        checkpoint.save(path, network, CONFIG, {}, alone=False)
    first, second = (checkpoint.load(path) for path in paths)
    assert first.common == second.common is not None
    assert len(list(tmp_path.iterdir())) == 3
    assert all(path.stat().st_size < 300_000 for path in paths)
    assert logits(second.network, features) == pytest.approx(logits(served, features), abs=1e-5)

    beside = tmp_path / f"{first.common}.safetensors"
    whole = beside.read_bytes()
    beside.write_bytes(whole[:-1] + b"x")
    with pytest.raises(checkpoint.BadCheckpoint, match="SHA-256"):
        checkpoint.load(paths[0])
    beside.unlink()
    with pytest.raises(checkpoint.BadCheckpoint, match="which is gone"):
        checkpoint.load(paths[0])


def test_a_file_that_needs_one_elsewhere_is_refused(described, tmp_path) -> None:
    _, served = trained(described)
    path = tmp_path / "network.safetensors"
    checkpoint.save(path, served, CONFIG, {}, alone=False)
    hashed = checkpoint.load(path).common
    assert hashed is not None
    path.write_bytes(path.read_bytes().replace(hashed.encode(), b"../" * 21 + b"x"))
    with pytest.raises(checkpoint.BadCheckpoint, match="no hash"):
        checkpoint.load(path)


class Shelf:
    """Features that lie elsewhere, and how many were fetched at once."""

    def __init__(self, features):
        self.features, self.fetched = features, []

    def __getitem__(self, rows):
        found = self.features[rows]
        self.fetched.append(len(found))
        return found


def test_a_corpus_is_learned_from_a_few_features_at_a_time(described, monkeypatch) -> None:
    features = described[3]
    whole, served = trained(described)
    monkeypatch.setattr(heads, "BATCH", 7)
    shelf = Shelf(features)
    folds, by_parts = trained(described, shelf=shelf)
    assert max(shelf.fetched) == 7
    assert sum(shelf.fetched) == len(features)  # each once
    for one, other in [(served, by_parts), *zip(whole, folds, strict=True)]:
        said, again = (probabilities(logits(network, features)) for network in (one, other))
        assert again == pytest.approx(said, abs=1e-3)


def test_what_progress_raises_stops_the_training(described) -> None:
    class Stop(Exception):
        pass

    def stop(share: float) -> None:
        raise Stop(share)

    with pytest.raises(Stop):
        trained(described, on_progress=stop)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("edge", [16, 32, 96, 224])
def test_five_pictures_of_two_classes_teach_heads_at_any_size(edge, channels, monkeypatch) -> None:
    monkeypatch.setattr(patches, "SAMPLE", 1000)
    monkeypatch.setattr(fitting, "TURNS", 10)
    labels = np.arange(5) % 2
    noise = np.random.default_rng(0).integers(0, 90, (5, edge, edge, channels))
    images = (noise + 120 * labels[:, None, None, None]).astype(np.uint8)
    describer = Describer.learned(images)
    features = describer.describe(images)
    folds, served = train_heads(
        replace(CONFIG, classes=2, image_size=edge, channels=channels),
        Lessons(features, certain(labels, 2), np.arange(5)),
        folds=10,
        describer=describer,
        pool=Pool.of(features),
    )
    assert (logits(served, images).argmax(axis=1) == labels).all()
    assert all(np.isfinite(logits(network, features)).all() for network in folds)


def test_targets_that_are_not_numbers_are_refused(described) -> None:
    _, labels, _, _ = described
    targets = certain(labels).copy()
    targets[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        trained(described, targets=targets)


def test_a_recipe_without_heads_cannot_be_trained_as_one(described) -> None:
    _, labels, describer, features = described
    config = TrainConfig(classes=3, image_size=16)
    with pytest.raises(TypeError, match="seed"):
        train_heads(
            config,
            Lessons(features, certain(labels), np.arange(len(labels)) % 5),
            folds=5,
            describer=describer,
            pool=Pool.of(features),
        )
    assert isinstance(build(CONFIG), FeatureNetwork)
