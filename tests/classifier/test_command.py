"""``python -m classifier predict``: one line a picture, and errors that name the culprit."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from classifier import predicting_command as command
from classifier.__main__ import main
from classifier.checkpoint import save, whole_file
from classifier.model import build
from tests.classifier.pictures import bars, small_config


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save(path, build(small_config()), small_config(), {"classes": ["lying", "standing", "blot"]})
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "bar.png"
    Image.fromarray(bars(1)[0][0]).save(path)
    return path


def test_a_picture_is_classified_from_the_command_line(model: Path, picture: Path) -> None:
    command = [sys.executable, "-m", "classifier", "predict", str(model), str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
    assert all(word in done.stdout for word in ("bar.png", "lying", "standing", "blot", "entropy"))


def test_a_picture_has_one_line_whatever_it_is_called(
    model: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd, broken = tmp_path / "a\nb\x1b[2J\u00e9.png", tmp_path / "c\x1b[31m.png"
    odd.write_bytes(picture.read_bytes())
    broken.write_bytes(b"none")
    assert main(["predict", str(model), str(odd), str(broken)]) == 1
    spoken = capsys.readouterr()
    assert spoken.out.startswith(f"{tmp_path}/a\\nb\\x1b[2J\u00e9.png: ")
    assert len(spoken.out.splitlines()) == len(spoken.err.splitlines()) == 1
    assert "c\\x1b[31m.png: not a readable picture" in spoken.err


def test_a_sure_network_has_no_doubt_at_all_whatever_its_temperature(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cold.safetensors"
    save(path, build(small_config()), small_config(), {"temperature": 1e-320})
    assert main(["predict", str(path), str(picture)]) == 0
    assert "(entropy 0.000 nats)" in capsys.readouterr().out


def test_json_lines_hold_every_probability(
    model: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(model), str(picture), str(picture), "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(records) == 2
    assert set(records[0]["probabilities"]) == {"lying", "standing", "blot"}
    assert sum(records[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert 0 <= records[0]["entropy"] <= 1.0987


def test_one_broken_picture_among_good_ones_is_named_and_the_others_are_done(
    model: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(picture.read_bytes()[:60])
    code = main(["predict", str(model), str(broken), str(picture), str(tmp_path / "gone.png")])
    spoken = capsys.readouterr()
    assert code == 1
    assert spoken.out.count("bar.png") == 1
    complaints = spoken.err.splitlines()
    assert len(complaints) == 2
    assert "broken.png" in complaints[0]
    assert "gone.png" in complaints[1]


@pytest.mark.parametrize("content", [None, b"", b"no model at all"])
def test_a_model_that_cannot_be_used_is_named_in_one_line(
    tmp_path: Path, picture: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.model"
    if content is not None:
        path.write_bytes(content)
    assert main(["predict", str(path), str(picture)]) == 1
    complaint = capsys.readouterr().err
    assert len(complaint.splitlines()) == 1
    assert "bad.model" in complaint


def with_card(tmp_path: Path, **card: object) -> Path:
    path = tmp_path / "carded.safetensors"
    path.write_bytes(whole_file(build(small_config()), small_config(), card))
    return path


def test_people_read_names_and_programs_keys(
    tmp_path: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = with_card(tmp_path, classes=["a", "b", "c"], class_names=["a bus", "a car", "a car"])
    assert main(["predict", str(path), str(picture)]) == 0
    spoken = capsys.readouterr().out
    assert (spoken.count("a bus"), spoken.count("a car")) == (1, 2)
    assert main(["predict", str(path), str(picture), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["probabilities"]) == {"a", "b", "c"}


@pytest.mark.parametrize("classes", [None, 7, "abc", ["a", "b"], ["a", "a", "b"]])
def test_classes_that_the_card_does_not_tell_have_numbers(
    tmp_path: Path, picture: Path, classes: object, capsys: pytest.CaptureFixture[str]
) -> None:
    path = with_card(tmp_path, classes=classes)
    assert main(["predict", str(path), str(picture), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["probabilities"]
    assert set(told) == {"class 0", "class 1", "class 2"}


def test_a_lower_temperature_makes_surer_and_names_the_same_class(
    tmp_path: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    for temperature in (0.5, 2.0):
        path = with_card(tmp_path, temperature=temperature)
        assert main(["predict", str(path), str(picture), "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out))
    sure, unsure = told
    assert sure["entropy"] < unsure["entropy"]
    assert next(iter(sure["probabilities"])) == next(iter(unsure["probabilities"]))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "CMYK"])
def test_grey_and_coloured_pictures_go_into_grey_and_coloured_networks(
    tmp_path: Path, mode: str, channels: int, capsys: pytest.CaptureFixture[str]
) -> None:
    config = small_config(channels=channels)
    save(tmp_path / "model.safetensors", build(config), config, {})
    Image.new(mode, (20, 30)).save(tmp_path / "picture.tiff")
    assert (
        main(["predict", str(tmp_path / "model.safetensors"), str(tmp_path / "picture.tiff")]) == 0
    )
    assert "picture.tiff" in capsys.readouterr().out


def test_many_pictures_go_through_the_network_together_and_come_out_in_order(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    batches: list[int] = []
    whole = command.logits

    def counted(network: torch.nn.Module, images: np.ndarray, **options: object) -> np.ndarray:
        batches.append(len(images))
        return whole(network, images, **options)

    monkeypatch.setattr(command, "logits", counted)
    paths = [tmp_path / f"{number}.png" for number in range(150)]
    for path, image in zip(paths, bars(150)[0], strict=True):
        Image.fromarray(image).save(path)
    paths[70].write_bytes(b"broken")
    assert main(["predict", str(model), *map(str, paths), "--json"]) == 1
    spoken = capsys.readouterr()
    said = [json.loads(line)["image"] for line in spoken.out.splitlines()]
    assert said == [str(path) for path in paths if path != paths[70]]
    assert batches == [64, 63, 22]
    assert "70.png" in spoken.err


def test_who_reads_along_may_stop_reading(model: Path, picture: Path) -> None:
    command = (
        f"{sys.executable} -m classifier predict {model} {' '.join([str(picture)] * 200)} | true"
    )
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""
