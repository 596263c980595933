"""What docs/exports.md shows is typed here, and says what the network says."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from PIL import Image

from classifier.__main__ import main
from tests.classifier.pictures import bars
from tests.workers.coloured import coloured_project
from tests.workers.untrained import untrained_version
from workers.exporting import exported

pytestmark = pytest.mark.django_db
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("channels", [1, 3])
def test_the_pages_example_says_what_predict_says(
    tmp_path: Path, channels: int, capsys: pytest.CaptureFixture[str]
) -> None:
    untrained_version(coloured_project(images=6, channels=channels))
    for ending in ("onnx", "safetensors"):
        out = str(tmp_path / f"traffic.{ending}")
        call_command("export_model", "colours", out, stdout=io.StringIO(), stderr=io.StringIO())
    names = ["upright.png", "wide.png"]
    Image.fromarray(bars(1)[0][0]).save(tmp_path / names[0])
    Image.fromarray(bars(2)[0][1][:9]).resize((40, 22)).save(tmp_path / names[1])
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-c", example, *names],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    files = [str(tmp_path / name) for name in names]
    assert main(["predict", str(tmp_path / "traffic.safetensors"), *files, "--json"]) == 0
    for name, shown, said in zip(
        names, done.stdout.splitlines(), capsys.readouterr().out.splitlines(), strict=True
    ):
        key, share = next(iter(json.loads(said)["probabilities"].items()))
        assert shown == f"{name} {key} {share:.1%}"


def test_the_page_tells_every_field_of_the_card() -> None:
    version = untrained_version(coloured_project(images=6))
    _, told = exported(version=version, file_format="safetensors", licence="unstated")
    table = PAGE[PAGE.index("## The card") :]
    fields = set(told) - {"format", "project_name", "output"}
    assert [name for name in sorted(fields) if f"`{name}`" not in table] == []
