"""An exported file is asked where nothing of the web and the queue is installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from classifier.checkpoint import whole_file
from classifier.predict import logits, probabilities
from tests.classifier.finished import KINDS, finished, pictures

ROOT = Path(__file__).resolve().parents[2]
ABSENT = ("django", "celery", "kombu", "redis", "labelhub", "workers", "onnx", "onnxscript")
CARD = {"classes": ["lying", "standing", "blot"], "temperature": 1.5}


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of a Python in which importing any of ABSENT fails."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        f"import sys\nsys.modules.update(dict.fromkeys({ABSENT!r}))\n"
    )
    return {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}


def python(bare: dict[str, str], *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=bare, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("absent", ABSENT)
def test_what_is_not_installed_cannot_be_imported(
    bare: dict[str, str], tmp_path: Path, absent: str
) -> None:
    """What the tests below rest on."""
    assert "ModuleNotFoundError" in python(bare, "-c", f"import {absent}", cwd=tmp_path).stderr


@pytest.mark.parametrize("recipe", KINDS)
def test_a_file_of_any_recipe_is_asked_with_no_django_installed(
    bare: dict[str, str], tmp_path: Path, recipe: str
) -> None:
    network, config = finished(recipe)
    elsewhere = tmp_path / "elsewhere"  # the file alone, and nothing beside it
    elsewhere.mkdir()
    (elsewhere / "model.safetensors").write_bytes(whole_file(network, config, CARD))
    images = pictures(3)
    for number, image in enumerate(images):
        Image.fromarray(image).save(elsewhere / f"{number}.png")
    names = [f"{number}.png" for number in range(3)]
    done = python(
        bare, "-m", "classifier", "predict", "model.safetensors", *names, "--json", cwd=elsewhere
    )
    assert (done.returncode, done.stderr) == (0, "")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    expected = probabilities(logits(network, images, device="cpu"), CARD["temperature"])
    assert [record["image"] for record in records] == names
    for record, row in zip(records, expected, strict=True):
        told = [record["probabilities"][key] for key in CARD["classes"]]
        assert np.abs(np.array(told) - row).max() < 1e-4
