"""Curves of simulations as a picture: what is averaged, what is refused, what is drawn."""

import json
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from workers.simulate.data import SimulationError
from workers.simulate.plot import draw, read_curves, usual_practice


def result(folder, name, strategy, accuracies, *, images=6000, step=0.5):
    path = folder / name
    curve = [
        {"human_seconds_per_image": step * (place + 1), "label_accuracy": accuracy}
        for place, accuracy in enumerate(accuracies)
    ]
    told = {"strategy": strategy, "images": images, "classes": 10, "recipe": "features",
            "forms": "grid,choice", "retrain_every_minutes": 1, "curve": curve}  # fmt: skip
    path.write_text(json.dumps(told))
    return path


def test_seeds_of_a_strategy_are_averaged_and_their_ends_kept(tmp_path) -> None:
    files = [
        result(tmp_path, "a", "default", [0.8, 0.9]),
        result(tmp_path, "b", "default", [0.6, 0.7]),
        result(tmp_path, "c", "random", [0.5, 0.6]),
    ]
    default, chance = read_curves(files)
    assert (default.name, default.seeds, chance.name, chance.seeds) == ("default", 2, "random", 1)
    assert default.seconds[-1] == pytest.approx(1.0)
    ends = (default.least[-1], default.mean[-1], default.most[-1])
    assert ends == pytest.approx((0.7, 0.8, 0.9))


def test_plays_over_other_pictures_are_never_averaged(tmp_path) -> None:
    few = result(tmp_path, "a", "default", [0.8, 0.9])
    many = result(tmp_path, "b", "default", [0.6, 0.7], images=10_000)
    names = [curve.name for curve in read_curves([few, many])]
    assert names == ["default, 6000 images", "default, 10000 images"]


def test_every_curve_looks_different_and_lies_inside_the_axes(tmp_path) -> None:
    files = [result(tmp_path, f"{n}", f"way {n}", [0.6, 0.9], step=30.0) for n in range(10)]
    picture = ET.fromstring(draw(read_curves(files), "ten"))  # noqa: S314
    lines = [one for one in picture.iter() if one.get("stroke-width") == "2"]
    looks = {(one.get("stroke"), one.get("stroke-dasharray")) for one in lines}
    assert len(lines) == len(looks) == 10
    places = [
        float(point.split()[0]) for one in lines for point in one.get("d", "M")[1:].split("L")
    ]
    grid = [one.get("d", "") for one in picture.iter() if one.get("stroke") == "#e4e1d8"]
    left, right = next(d for d in grid if "H" in d)[1:].split("H")
    assert float(left.split()[0]) <= min(places) <= max(places) <= float(right)
    assert len(set(places)) > 10, "the end of an axis is not where all points lie"


def test_the_usual_practice_has_no_label_where_nobody_was_yet() -> None:
    curve = usual_practice(12.6, 0.96)
    assert curve.mean[-1] == pytest.approx(0.96)
    assert float(np.interp(6.3, curve.seconds, curve.mean)) == pytest.approx(0.48, abs=1e-3)


def test_the_picture_names_every_curve_and_is_whole(tmp_path) -> None:
    curves = read_curves([result(tmp_path, "a", "default", [0.8, 1.0])])
    picture = ET.fromstring(draw([*curves, usual_practice(12.6, 0.96)], "a < b & c"))  # noqa: S314
    words = ["".join(one.itertext()) for one in picture.iter() if one.tag.endswith("text")]
    assert {"default", "three choices each", "a < b & c"} <= set(words)
    heights = {
        word: float(one.get("y", ""))
        for word, one in zip(
            words, (one for one in picture.iter() if one.tag.endswith("text")), strict=True
        )
    }
    assert abs(heights["default"] - heights["three choices each"]) > 15


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recipe": None}, "'recipe' is no text"),
        ({"images": "many"}, "'images' is no whole number"),
        ({"images": True}, "'images' is no whole number"),
        ({"curve": {}}, "'curve' is no list"),
        ({"curve": []}, "there are no points in its curve"),
        ({"curve": [3]}, "point 1 of the curve: an object was expected"),
        ({"curve": [{"label_accuracy": 1}]}, "point 1 .*it has no 'human_seconds_per_image'"),
        (
            {"curve": [{"human_seconds_per_image": 0, "label_accuracy": 2}]},
            "point 1 of the curve: 'label_accuracy' is no number, 0 to 1$",
        ),
        (
            {"curve": [{"human_seconds_per_image": float("nan"), "label_accuracy": 1}]},
            "'human_seconds_per_image' is no number, 0 to 1,000,000",
        ),
    ],
)
def test_what_a_result_lacks_is_said_in_words(tmp_path, change, said) -> None:
    path = result(tmp_path, "bad.json", "default", [0.8, 0.9])
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(SimulationError, match=rf"bad\.json.*{said}"):
        read_curves([path])


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("no json", "there is no JSON in it"),
        ("[]", "no result of simulate: an object was expected"),
        ("{}", "no result of simulate: it has no 'strategy'"),
        ('{"strategy": "x", "curve": []}', "it has no 'images'"),
    ],
)
def test_what_is_no_result_is_named(tmp_path, told, said) -> None:
    (tmp_path / "bad.json").write_text(told)
    with pytest.raises(SimulationError, match=rf"bad\.json: .*{said}"):
        read_curves([tmp_path / "bad.json"])
    with pytest.raises(SimulationError, match=r"none\.json: it cannot be read \(No such file"):
        read_curves([tmp_path / "none.json"])


def test_the_command_writes_the_picture_or_says_what_is_wrong(tmp_path) -> None:
    path = str(result(tmp_path, "a", "default", [0.8, 0.9]))
    call_command("plot_simulations", str(tmp_path / "out.svg"), path, usual=[12.6, 0.96])
    assert "default" in (tmp_path / "out.svg").read_text()
    with pytest.raises(CommandError, match="no_such_folder"):
        call_command("plot_simulations", str(tmp_path / "no_such_folder" / "o.svg"), path)
    with pytest.raises(CommandError, match="--usual"):
        call_command("plot_simulations", str(tmp_path / "o.svg"), path, usual=[0.0, 0.9])
    with pytest.raises(CommandError, match="--usual"):
        call_command("plot_simulations", str(tmp_path / "o.svg"), path, usual=[np.inf, 0.9])
