"""``python -m classifier predict``: one line a picture, and errors that name the culprit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from classifier.__main__ import main
from classifier.checkpoint import save
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
