"""What ``predict`` cannot use: one line that names the culprit, and exit code 1."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from classifier import backbone
from classifier.__main__ import main
from classifier.checkpoint import whole_file
from classifier.config import TrainConfig
from classifier.model import build
from tests.classifier.finished import finished
from tests.classifier.pictures import bars, small_config


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(whole_file(build(small_config()), small_config(), {}))
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "bar.png"
    Image.fromarray(bars(1)[0][0]).save(path)
    return path


def complaint_of(capsys: pytest.CaptureFixture[str], *arguments: Path | str) -> str:
    """What a call that fails says: nothing but one line on stderr."""
    assert main(["predict", *(str(one) for one in arguments)]) == 1
    spoken = capsys.readouterr()
    assert spoken.out == ""
    assert len(spoken.err.splitlines()) == 1
    assert spoken.err.startswith("error: ")
    return spoken.err


def test_pixels_that_are_no_numbers_are_named(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "nan.tiff"
    Image.fromarray(np.full((16, 16), np.nan, dtype=np.float32)).save(path)
    assert "nan.tiff: not a readable picture (its pixels are fractions" in complaint_of(
        capsys, model, path
    )


def test_a_pickle_in_disguise_is_refused_and_never_executed(
    tmp_path: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, trace = tmp_path / "model.safetensors", tmp_path / "executed"
    path.write_bytes(f"cos\nsystem\n(S'touch {trace}'\ntR.".encode())
    assert "model.safetensors: no whole safetensors file" in complaint_of(capsys, path, picture)
    assert "executed" not in {one.name for one in tmp_path.iterdir()}


@pytest.mark.parametrize("recipe", ["seed", "features"])
@pytest.mark.parametrize("keep", [0.0, 0.001, 0.5, 0.999])
def test_a_file_cut_short_anywhere_is_named(
    tmp_path: Path, picture: Path, recipe: str, keep: float, capsys: pytest.CaptureFixture[str]
) -> None:
    path, data = tmp_path / "cut.safetensors", whole_file(*finished(recipe), {})
    path.write_bytes(data[: int(keep * len(data))])
    assert "cut.safetensors: no whole safetensors file" in complaint_of(capsys, path, picture)


@pytest.mark.parametrize(
    ("claimed", "culprit"),
    [
        ({"recipe": "features"}, "does not fit the recipe"),
        ({"channels": 1}, "the recipe needs"),
        ({"recipe": "tomorrow"}, "recipe 'tomorrow' is unknown"),
    ],
)
def test_a_network_of_another_architecture_than_it_claims_is_named(
    tmp_path: Path,
    picture: Path,
    claimed: dict[str, object],
    culprit: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, config = tmp_path / "other.safetensors", small_config()
    lie = TrainConfig.from_dict(config.to_dict() | {"recipe": "seed"} | claimed)
    path.write_bytes(whole_file(build(config), lie, {}))
    complaint = complaint_of(capsys, path, picture)
    assert "other.safetensors: " in complaint
    assert culprit in complaint


@pytest.mark.parametrize(("weight", "reason"), [(np.nan, "NaN"), (np.inf, "NaN"), (3e38, "NaN")])
def test_weights_that_lead_to_no_number_are_named(
    tmp_path: Path, picture: Path, weight: float, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    network = build(small_config())
    with torch.no_grad():
        for weights in network.parameters():
            weights.fill_(weight)
    path = tmp_path / "wild.safetensors"
    path.write_bytes(whole_file(network, small_config(), {}))
    complaint = complaint_of(capsys, path, picture)
    assert "wild.safetensors: " in complaint
    assert reason in complaint


def test_a_file_of_a_newer_format_says_so(
    model: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.write_bytes(
        model.read_bytes().replace(b"labelhub-classifier-1", b"labelhub-classifier-2")
    )
    complaint = complaint_of(capsys, model, picture)
    assert "'labelhub-classifier-2'" in complaint
    assert "another version of LabelHub wrote it" in complaint


def test_an_onnx_file_is_told_where_it_runs(
    tmp_path: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08\x0a")
    assert "run ONNX with onnxruntime" in complaint_of(capsys, path, picture)


def test_a_network_on_other_pretrained_weights_than_those_here_is_refused(
    tmp_path: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "far.safetensors"
    for sha256, code in ((backbone.weights_sha256(), 0), ("0" * 64, 1)):
        card = {"pretrained": {"sha256": sha256, "inside": False}}
        path.write_bytes(whole_file(*finished("features"), card))
        assert main(["predict", str(path), str(picture)]) == code
    assert "other pretrained weights" in capsys.readouterr().err


@pytest.mark.parametrize("temperature", [0, -1, 10**400, "warm", None, True, [1.0]])
def test_a_temperature_that_is_none_is_refused(
    tmp_path: Path, picture: Path, temperature: object, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "carded.safetensors"
    path.write_bytes(
        whole_file(build(small_config()), small_config(), {"temperature": temperature})
    )
    assert "carded.safetensors: its temperature is" in complaint_of(capsys, path, picture)
