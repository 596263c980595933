"""A network as a picture: every stage by its name and size, and the pictures in docs are true."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from classifier import checkpoint
from classifier.__main__ import main
from classifier.config import TrainConfig
from classifier.model import RECIPES, build

DOCS = Path(__file__).parents[2] / "docs" / "models"
TEXT = "{http://www.w3.org/2000/svg}text"


def words(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(TEXT)]  # noqa: S314


def test_a_recipe_is_drawn_with_every_stage_and_its_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "seed.svg"
    assert main(["draw", "seed", str(out), "--channels", "1", "--classes", "6"]) == 0
    assert str(out) in capsys.readouterr().out
    title, *stages = words(out.read_text())
    assert "32 pixels, grey, 6 classes" in title
    drawn = dict(zip(stages[::2], stages[1::2], strict=True))
    assert drawn["input"] == "1×32×32"
    assert drawn["conv3"] == "64×8×8"
    assert drawn["flatten"] == "4096"
    assert drawn["softmax"] == "6"


def test_a_model_file_is_drawn_as_what_it_is(tmp_path: Path) -> None:
    config = TrainConfig(3, "fast", 16, 1)
    checkpoint.save(tmp_path / "m.safetensors", build(config), config, {})
    assert main(["draw", str(tmp_path / "m.safetensors"), str(tmp_path / "m.svg")]) == 0
    assert "m.safetensors (fast): 16 pixels" in words((tmp_path / "m.svg").read_text())[0]


def test_what_is_neither_model_nor_recipe_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["draw", "sead", str(tmp_path / "out.svg")]) == 1
    assert "sead: No such file" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_pictures_in_the_docs_show_the_networks_as_they_are(
    recipe: str, tmp_path: Path
) -> None:
    out = tmp_path / "now.svg"
    assert main(["draw", recipe, str(out)]) == 0
    assert out.read_text() == (DOCS / f"{recipe}.svg").read_text()
