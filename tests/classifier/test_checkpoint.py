"""A model file is served only when it is whole, the expected one, and harmless."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from classifier.activations import stages
from classifier.checkpoint import BadCheckpoint, load, save
from classifier.model import build
from classifier.predict import logits
from tests.classifier.pictures import bars, small_config

CONFIG = small_config()
CARD = {"classes": ["lying", "standing", "blot"], "temperature": 1.5}


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, str]:
    path = tmp_path / "model.safetensors"
    return path, save(path, build(CONFIG), CONFIG, CARD)


def rewrite(path: Path, *, config: str | None = None, **tensors: torch.Tensor) -> None:
    """The same file with other tensors or another config, as a fault or a forger would make it."""
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    if config is not None:
        metadata["config"] = config
    safetensors.torch.save_file(safetensors.torch.load_file(path) | tensors, path, metadata)


def test_a_saved_network_comes_back_whole(saved: tuple[Path, str]) -> None:
    path, sha256 = saved
    model = load(path, expected_sha256=sha256)
    images, _ = bars(5)
    expected = logits(build(CONFIG), images, device="cpu")
    assert np.array_equal(logits(model.network, images, device="cpu"), expected)
    assert (model.config, model.card, model.sha256) == (CONFIG, CARD, sha256)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_another_file_than_the_expected_one_is_refused(saved: tuple[Path, str]) -> None:
    path, _ = saved
    with pytest.raises(BadCheckpoint, match="SHA-256"):
        load(path, expected_sha256="0" * 64)


@pytest.mark.parametrize("keep", [0, 4, 100, 3000, -1])
def test_a_truncated_file_is_refused(saved: tuple[Path, str], keep: int) -> None:
    path, _ = saved
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadCheckpoint, match="no whole safetensors file"):
        load(path)


def test_a_pickle_in_disguise_is_refused_and_never_executed(tmp_path: Path) -> None:
    path, trace = tmp_path / "model.safetensors", tmp_path / "executed"
    command = f"cos\nsystem\n(S'touch {trace}'\ntR."
    path.write_bytes(command.encode())
    with pytest.raises(BadCheckpoint, match="no whole safetensors file"):
        load(path)
    torch.save({"stages.logits.bias": torch.zeros(3)}, path)
    with pytest.raises(BadCheckpoint, match="no whole safetensors file"):
        load(path)
    assert not trace.exists()


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(BadCheckpoint, match="format"):
        load(path)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"recipe": "alchemy"}, "alchemy"),
        ({"classes": 0}, "classes"),
        ({"image_size": 24}, "stages.hidden.weight"),
        ({"image_size": 2**20}, "image_size"),
        ({"classes": 4}, "stages.logits"),
        ({"wormhole": 1}, "wormhole"),
    ],
)
def test_a_config_that_lies_about_the_file_is_refused(
    saved: tuple[Path, str], config: dict[str, object], complaint: str
) -> None:
    path, _ = saved
    rewrite(path, config=json.dumps(CONFIG.to_dict() | config))
    with pytest.raises(BadCheckpoint, match=complaint):
        load(path)


@pytest.mark.parametrize("config", ["", "[]", "null", "{", "[" * 100_000], ids=len)
def test_a_config_that_is_no_object_is_refused(saved: tuple[Path, str], config: str) -> None:
    path, _ = saved
    rewrite(path, config=config)
    with pytest.raises(BadCheckpoint, match="config"):
        load(path)


def test_tensors_that_do_not_fit_are_named(saved: tuple[Path, str]) -> None:
    path, _ = saved
    rewrite(path, **{"stages.logits.bias": torch.zeros(4)})
    with pytest.raises(BadCheckpoint, match=r"stages\.logits\.bias"):
        load(path)
    rewrite(path, **{"stages.logits.bias": torch.zeros(3), "stages.backdoor": torch.zeros(1)})
    with pytest.raises(BadCheckpoint, match=r"stages\.backdoor"):
        load(path)


def test_weights_that_are_no_numbers_are_refused(saved: tuple[Path, str]) -> None:
    path, _ = saved
    rewrite(path, **{"stages.logits.bias": torch.full((3,), float("nan"))})
    with pytest.raises(BadCheckpoint, match=r"stages\.logits\.bias.*NaN"):
        load(path)


def test_a_failed_save_leaves_the_old_file(
    saved: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, sha256 = saved

    def full_disk(_: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        save(path, build(small_config(seed=5)), CONFIG, CARD)
    assert load(path, expected_sha256=sha256).card == CARD
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_card_that_is_not_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        save(tmp_path / "m", build(CONFIG), CONFIG, {"accuracy": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_the_stages_lead_from_the_pixels_to_the_very_same_probabilities() -> None:
    config = small_config(image_size=32)
    network, image = build(config), np.full((32, 32, 3), 9, dtype=np.uint8)
    seen = stages(network, image)
    kinds = [stage.kind for stage in seen]
    assert kinds[:3] == ["input", "normalise", "convolution"]
    assert kinds[-2:] == ["logits", "softmax"]
    shapes = {stage.name: stage.values.shape for stage in seen}
    assert shapes["input"] == (32, 32, 3)
    assert shapes["pool1"][1:] == (16, 16)
    assert shapes["pool2"][1:] == (8, 8)
    by_name = {stage.name: stage.values for stage in seen}
    assert (by_name["relu1"] >= 0).all()
    assert (by_name["conv1"] < 0).any()
    expected = logits(network, image[None], device="cpu")[0]
    assert np.allclose(by_name["logits"], expected, atol=1e-5)
    assert by_name["softmax"].sum() == pytest.approx(1)


def test_importing_the_classifier_brings_no_web_and_no_queue() -> None:
    program = (
        "import pkgutil, importlib, sys, classifier\n"
        "for one in pkgutil.walk_packages(classifier.__path__, 'classifier.'):\n"
        "    importlib.import_module(one.name)\n"
        "found = {'django', 'celery', 'redis', 'kombu'} & set(sys.modules)\n"
        "sys.exit(f'found {found}' if found else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
