"""Starting from weights of elsewhere: what is read is what the network then computes."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional

from classifier import backbone
from classifier.config import TrainConfig
from classifier.folding import folded, with_norms
from classifier.model import build, configured
from classifier.predict import logits
from classifier.recipe import BadWeights
from classifier.recipes import efficient, resnet
from classifier.train import train
from tests.classifier.pictures import STILL, bars, certain

WIDTHS = (64, 128, 256, 512)
IMAGES, LABELS = bars(12)


def weights_of_elsewhere() -> dict[str, Tensor]:
    """A file of torchvision's resnet18, made on the spot."""
    generator = torch.Generator().manual_seed(0)
    made: dict[str, Tensor] = {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}

    def layer(convolution: str, norm: str, shape: tuple[int, ...]) -> None:
        fan = shape[1] * shape[2] * shape[3]
        made[f"{convolution}.weight"] = torch.randn(shape, generator=generator) / fan**0.5
        for name in ("weight", "running_var"):
            made[f"{norm}.{name}"] = torch.rand(shape[0], generator=generator) + 0.5
        for name in ("bias", "running_mean"):
            made[f"{norm}.{name}"] = torch.randn(shape[0], generator=generator) * 0.1
        made[f"{norm}.num_batches_tracked"] = torch.tensor(1)

    layer("conv1", "bn1", (64, 3, 7, 7))
    inputs = 64
    for group, width in enumerate(WIDTHS, start=1):
        for block in range(2):
            name = f"layer{group}.{block}"
            layer(f"{name}.conv1", f"{name}.bn1", (width, inputs, 3, 3))
            layer(f"{name}.conv2", f"{name}.bn2", (width, width, 3, 3))
            if inputs != width:
                layer(f"{name}.downsample.0", f"{name}.downsample.1", (width, inputs, 1, 1))
            inputs = width
    return made


def resnet18(pixels: Tensor, w: dict[str, Tensor]) -> Tensor:
    """Features (n, 512) as the published network makes them, written out (He et al. 2016)."""

    def layer(x: Tensor, convolution: str, norm: str, stride: int, padding: int) -> Tensor:
        x = functional.conv2d(x, w[f"{convolution}.weight"], None, stride, padding)
        return functional.batch_norm(
            x, w[f"{norm}.running_mean"], w[f"{norm}.running_var"],
            w[f"{norm}.weight"], w[f"{norm}.bias"],
        )  # fmt: skip

    x = layer(pixels, "conv1", "bn1", 2, 3).relu()
    x = functional.max_pool2d(x, 3, 2, 1)
    for group in range(1, 5):
        for block in range(2):
            name, stride = f"layer{group}.{block}", 2 if group > 1 and block == 0 else 1
            y = layer(x, f"{name}.conv1", f"{name}.bn1", stride, 1).relu()
            y = layer(y, f"{name}.conv2", f"{name}.bn2", 1, 1)
            if f"{name}.downsample.0.weight" in w:
                x = layer(x, f"{name}.downsample.0", f"{name}.downsample.1", stride, 0)
            x = (x + y).relu()
    return x.mean(dim=(2, 3))


def stored(path: Path, weights: dict[str, Tensor]) -> Path:
    path.write_bytes(safetensors.torch.save(weights))
    return path


def test_resnet_computes_what_the_weights_computed_where_they_come_from(tmp_path: Path) -> None:
    weights = weights_of_elsewhere()
    network = with_norms(build(TrainConfig(3, "resnet", 96)))
    resnet.start(network, stored(tmp_path / "w.safetensors", weights))
    network = folded(network).eval()
    pixels = torch.rand(2, 3, 96, 96) * 255
    with torch.inference_mode():
        found = network.stages[:-1](network.normalise(pixels))
        mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
        seen = (pixels - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
        wanted = resnet18(seen, weights)
    assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-4)
    assert wanted.std() > 0.01


def test_a_grey_resnet_sees_grey_as_a_coloured_one_sees_equal_colours(tmp_path: Path) -> None:
    path = stored(tmp_path / "w.safetensors", weights_of_elsewhere())
    grey, coloured = (with_norms(build(TrainConfig(3, "resnet", 32, c))) for c in (1, 3))
    for network in (grey, coloured):
        resnet.start(network, path)
        network.eval()
    pixels = torch.rand(2, 1, 32, 32) * 255
    with torch.inference_mode():
        one = grey.stages[:-1](grey.normalise(pixels))
        three = coloured.stages[:-1](coloured.normalise(pixels.expand(-1, 3, -1, -1)))
    alike = torch.corrcoef(torch.stack([one.flatten(), three.flatten()]))[0, 1]
    assert alike > 0.99  # but for each colour's own mean


def test_efficient_starts_as_the_network_of_the_wheel() -> None:
    network = with_norms(build(TrainConfig(3, "efficient", 128)))
    efficient.start(network, backbone.weights_file())
    network = folded(network).eval()
    pixels = torch.rand(2, 3, 128, 128) * 255
    with torch.inference_mode():
        seen = network.stages[:-2](network.normalise(pixels))  # before dropout and logits
        wanted = backbone.pretrained()(pixels)
    place = backbone.SEEN - backbone.HEAD
    assert torch.allclose(seen, wanted[:, place : backbone.SEEN], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda w: w.pop("layer3.1.bn2.bias"), "no 'layer3.1.bn2.bias'"),
        (lambda w: w.update({"conv1.weight": torch.zeros(64, 3, 3, 3)}), "'conv1.weight' is"),
        (lambda w: w.update({"bn1.bias": torch.full((64,), float("nan"))}), "NaN"),
    ],
)
def test_weights_that_do_not_fit_are_named(tmp_path: Path, spoil: Any, complaint: str) -> None:
    weights = weights_of_elsewhere()
    spoil(weights)
    network = with_norms(build(TrainConfig(3, "resnet")))
    with pytest.raises(BadWeights, match=rf"w.safetensors.*{complaint}"):
        resnet.start(network, stored(tmp_path / "w.safetensors", weights))


def test_a_file_that_holds_no_weights_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pickle.safetensors"
    path.write_bytes(b"\x80\x04cos\nsystem\n(S'exit'\ntR.")
    with pytest.raises(BadWeights, match=r"pickle.safetensors: no whole safetensors file"):
        resnet.start(with_norms(build(TrainConfig(3, "resnet"))), path)


def config_from(path: Path | None) -> TrainConfig:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest() if path else "0" * 64
    return configured(
        "resnet", classes=3, image_size=16, steps=2, batch_size=4, augmentation=STILL,
        device="cpu", threads=1, pretrained=sha256,
    )  # fmt: skip


def test_a_training_starts_from_the_file_its_config_names_by_hash(tmp_path: Path) -> None:
    path = stored(tmp_path / "w.safetensors", weights_of_elsewhere())
    config, ones = config_from(path), np.ones(len(LABELS))
    network = train(config, IMAGES, certain(LABELS), ones, pretrained=path)
    begun = with_norms(build(config))
    resnet.start(begun, path)
    before = folded(begun).stages.layer4_1.second.weight
    after = network.stages.layer4_1.second.weight
    assert torch.corrcoef(torch.stack([before.flatten(), after.flatten()]))[0, 1] > 0.9
    other = config_from(None)
    with pytest.raises(BadWeights, match=r"w.safetensors: its SHA-256 is"):
        train(other, IMAGES, certain(LABELS), ones, pretrained=path)
    with pytest.raises(BadWeights, match="'resnet' has no pretrained weights"):
        train(other, IMAGES, certain(LABELS), ones)


def test_efficient_tells_bars_from_blots_after_few_steps() -> None:
    images, labels = bars(48)
    config = configured(
        "efficient", classes=3, image_size=16, steps=25, batch_size=8, augmentation=STILL,
        device="cpu", threads=1, pretrained=backbone.weights_sha256(),
    )  # fmt: skip
    network = train(config, images, certain(labels), np.ones(48))
    fresh, truth = bars(30, seed=1)
    assert (logits(network, fresh, device="cpu").argmax(axis=1) == truth).mean() > 0.85
