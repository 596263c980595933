"""A network from an array file, by one process or by several, with no server anywhere."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from classifier import checkpoint
from classifier.__main__ import main
from classifier.predict import logits
from classifier.team import Team
from tests.classifier.pictures import bars

NAMES = ["lying", "standing", "blot"]
QUICK = ["--image-size", "16", "--augmentation", "none", "--batch-size", "16", "--steps", "60"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    images, labels = bars(120)
    path = tmp_path / "bars.npz"
    np.savez(path, images=images, labels=labels, classes=NAMES)
    return path


def right_share(model: Path) -> float:
    fresh, labels = bars(90, seed=1)
    said = logits(checkpoint.load(model).network, fresh, device="cpu")
    return float((said.argmax(axis=1) == labels).mean())


def test_a_network_is_trained_measured_and_saved_with_its_classes(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "bars.safetensors"
    assert main(["train", str(data), str(model), *QUICK]) == 0
    told = capsys.readouterr()
    assert "of 12 pictures that were kept back" in told.out
    assert "100%" in told.err
    assert checkpoint.load(model).card["classes"] == NAMES
    assert right_share(model) > 0.9


def test_two_processes_train_one_network_together(data: Path, tmp_path: Path) -> None:
    model = tmp_path / "together.safetensors"
    run = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         "-m", "classifier", "train", str(data), str(model), *QUICK],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
        timeout=240,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("kept back") == 1  # one of them speaks
    assert right_share(model) > 0.9


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        ({"labels": np.full(120, 3)}, "labels must lie in 0..2"),
        ({"labels": np.zeros(7, int)}, "not as many whole-numbered labels"),
        ({"images": np.zeros((120, 16, 16), np.float32)}, "not pictures of bytes"),
    ],
)
def test_data_that_cannot_be_learned_from_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: dict[str, object], complaint: str
) -> None:
    images, labels = bars(120)
    path = tmp_path / "spoilt.npz"
    np.savez(path, **{"images": images, "labels": labels, "classes": NAMES} | spoil)
    assert main(["train", str(path), str(tmp_path / "m"), *QUICK]) == 1
    told = capsys.readouterr().err
    assert str(path) in told
    assert complaint in told


def test_a_file_that_is_none_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing, pickled = tmp_path / "missing.npz", tmp_path / "pickled.npz"
    pickled.write_bytes(b"\x80\x04cos\nsystem\n(S'exit'\ntR.")
    for path in (missing, pickled):
        assert main(["train", str(path), str(tmp_path / "m"), *QUICK]) == 1
        assert str(path) in capsys.readouterr().err


def test_no_other_weights_are_put_in_the_place_of_a_recipes_own(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = ["train", str(data), str(tmp_path / "m"), "--recipe", "efficient", *QUICK]
    assert main([*trained, "--pretrained", str(data)]) == 1
    told = capsys.readouterr().err
    assert told == f"error: {data}: recipe 'efficient' starts from weights of its own\n"


def header(shape: str) -> bytes:
    """What an array's file begins with."""
    told = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(told).to_bytes(2, "little") + told


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("images.npy", header("(1000000000000, 32, 32, 3)")),
        ("images.npy", header("((((")),
        ("images", b"no array"),
    ],
)
def test_an_array_that_is_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes
) -> None:
    path = tmp_path / "odd.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)
        for other in ("labels.npy", "classes.npy"):
            archive.writestr(other, header("(1,)") + b"\0")
    assert main(["train", str(path), str(tmp_path / "m"), *QUICK]) == 1
    assert capsys.readouterr().err.startswith(f"error: {path}: ")


def test_where_the_model_cannot_go_is_said_before_the_training(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing, device, opened = tmp_path / "nowhere" / "m", tmp_path / "device", tmp_path / "opened"
    device.symlink_to("/dev/null")
    opened.symlink_to("/proc/self/fd/1")  # what /dev/stdout is
    for path, reason in (
        (missing, f"there is no folder {missing.parent}"),
        (tmp_path, "it is a folder"),
        (device, "it is no regular file"),
        (opened, "it is no regular file"),
    ):
        assert main(["train", str(data), str(path), *QUICK]) == 1
        assert capsys.readouterr().err == f"error: {path}: {reason}\n"  # and no progress
    assert device.is_symlink()
    assert opened.is_symlink()


def test_a_batch_that_does_not_share_out_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_size 15 does not share out among 2"):
        Team(0, 2).share(15)
    rows = np.arange(16)
    assert sorted([*rows[Team(0, 2).share(16)], *rows[Team(1, 2).share(16)]]) == rows.tolist()
