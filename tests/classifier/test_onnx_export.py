"""A network as ONNX says in another program what it says here, whatever its recipe."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn import functional

from classifier import backbone
from classifier.config import TrainConfig
from classifier.onnx_export import onnx_bytes
from classifier.portable import portable
from classifier.predict import logits, probabilities
from tests.classifier.finished import KINDS, finished, pictures

EQUAL = 1e-4
TEMPERATURE = 1.7


def written(network: nn.Module, config: TrainConfig, **metadata: str) -> bytes:
    return onnx_bytes(network, config, temperature=TEMPERATURE, metadata=metadata)


def said_by_onnx(data: bytes, images: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(["probabilities", "logits"], {"pixels": images})


def assert_equal(data: bytes, network: nn.Module, images: np.ndarray) -> None:
    shares, said = said_by_onnx(data, images)
    expected = logits(network, images, device="cpu")
    assert (
        expected[:, 0].std() > 10 * EQUAL
    )  # pictures are told apart: the comparison means something
    assert said.dtype == shares.dtype == np.float32
    assert np.abs(said - expected).max() < EQUAL
    assert np.abs(shares - probabilities(expected, TEMPERATURE)).max() < EQUAL


@pytest.mark.parametrize("recipe", KINDS)
def test_every_recipe_says_the_same_in_onnxruntime(recipe: str) -> None:
    network, config = finished(recipe)
    data, images = written(network, config), pictures(12)
    for count in (12, 1):
        assert said_by_onnx(data, images[:count])[0].shape == (count, 3)
    assert_equal(data, network, images)


def test_grey_and_larger_pictures_are_brought_to_the_backbone_as_here() -> None:
    network, config = finished("features", 1, 96)
    assert_equal(written(network, config), network, pictures(6, 1, 96))


@pytest.mark.parametrize("mode", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [16, 48, 200])
def test_an_antialiased_resize_is_two_matrices(mode: str, size: int) -> None:
    class Resize(nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            seen = functional.interpolate(pixels, size=(64, 64), mode=mode, antialias=True)
            return seen.flatten(1)[:, ::97]

    images = np.random.default_rng(0).integers(0, 256, (3, size, size, 1), dtype=np.uint8)
    data = written(Resize(), TrainConfig(classes=2, image_size=size, channels=1))
    assert "Resize" not in {node.op_type for node in onnx.load_from_string(data).graph.node}
    here = Resize()(torch.from_numpy(images).permute(0, 3, 1, 2).float()).numpy()
    assert np.abs(said_by_onnx(data, images)[1] - here).max() < 5e-4  # of 255


def test_the_file_tells_what_it_takes_and_gives() -> None:
    network, config = finished("seed", 1)
    model = onnx.load_from_string(written(network, config, card=json.dumps({"classes": ["ü"]})))
    onnx.checker.check_model(model, full_check=True)
    (pixels,) = model.graph.input
    assert pixels.name == "pixels"
    assert pixels.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    shape = [one.dim_param or one.dim_value for one in pixels.type.tensor_type.shape.dim]
    assert shape == ["pictures", 16, 16, 1]
    assert [one.name for one in model.graph.output] == ["probabilities", "logits"]
    assert {one.key: json.loads(one.value) for one in model.metadata_props} == {
        "card": {"classes": ["ü"]}
    }


def test_the_file_is_the_same_each_time_and_tells_nothing_of_the_machine() -> None:
    network, config = finished("seed")
    data = written(network, config)
    assert data == written(network, config)
    model = onnx.load_from_string(data)
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    del model.graph.initializer[:]  # numbers, which may spell anything
    told = model.SerializeToString()
    assert [word for word in (b".py", b"File ", str(Path.cwd()).encode()) if word in told] == []


def test_the_export_leaves_the_network_and_the_backbone_as_they_were() -> None:
    network, config = finished("features")
    images = pictures(3)
    before = logits(network, images, device="cpu")
    written(network, config)
    assert np.array_equal(logits(network, images, device="cpu"), before)
    assert not any(weights.requires_grad for weights in backbone.pretrained().parameters())
    twin = portable(network)
    with torch.no_grad():
        for weights in twin.parameters():
            weights.zero_()
    assert np.array_equal(logits(network, images, device="cpu"), before)


def test_a_network_that_cannot_be_a_graph_is_refused() -> None:
    class Moody(nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            signal = pixels.mean(dim=(2, 3))
            return signal if signal.sum() > 0 else -signal

    with pytest.raises(RuntimeError):
        written(Moody(), TrainConfig(classes=3, image_size=16))
