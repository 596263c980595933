"""A replay shows the very signal of the network that is asked, in numbers that a page can read."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from classifier import replay
from classifier.activations import stages
from classifier.config import TrainConfig
from classifier.ensemble import EnsembleNetwork
from classifier.features import Describer
from classifier.model import RECIPES, build
from classifier.network import StagedNetwork
from classifier.pool import Pool
from classifier.predict import logits, probabilities
from classifier.recipes.features import FeatureNetwork
from classifier.replay import packed, unpacked
from classifier.stages import Stage, Window
from tests.classifier.pictures import bars

EDGE = 32


def network_of(recipe: str, *, channels: int = 3) -> nn.Module:
    """Untrained, but with all that its recipe learns of pictures without a label."""
    network = build(config_of(recipe, channels=channels))
    if isinstance(network, FeatureNetwork):
        pictures = pictures_of(40, channels)
        describer = Describer.learned(pictures)
        network.see(describer, Pool.of(describer.describe(pictures)))
        network.weigh(torch.tensor([0.5, 0.1, 0.1, 0.2, 0.3]))
    return network.eval()


def config_of(recipe: str, *, channels: int = 3) -> TrainConfig:
    return TrainConfig(classes=5, recipe=recipe, image_size=EDGE, channels=channels)


def pictures_of(count: int, channels: int = 3) -> np.ndarray:
    images = np.kron(bars(count)[0], np.ones((1, 2, 2, 1), dtype=np.uint8))  # (n, 32, 32, 3)
    return images[..., :channels]


def named(shown: Sequence[Stage], name: str) -> Stage:
    return next(stage for stage in shown if stage.name == name)


def row(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_shows_how_it_comes_to_its_word(recipe: str, channels: int) -> None:
    network, image = network_of(recipe, channels=channels), pictures_of(1, channels)[0]
    shown = stages(network, image, temperature=1.7)
    assert [shown[0].name, shown[-2].name, shown[-1].name] == ["input", "logits", "softmax"]
    assert (shown[0].values == image).all()
    assert len({stage.name for stage in shown}) == len(shown) > 5
    said = logits(network, image[None])
    assert shown[-2].values == pytest.approx(said[0], abs=2e-3)
    assert shown[-1].values == pytest.approx(probabilities(shown[-2].values, 1.7))
    header, values = unpacked(packed(shown, {"version": 3}))
    assert header["version"] == 3
    assert [stage["name"] for stage in header["stages"]] == [stage.name for stage in shown]
    assert values[-1] == pytest.approx(shown[-1].values)


def test_features_are_read_as_a_ranking_reads_them() -> None:
    """From shards of half precision: the word is the same to the last digit that is stored."""
    network, image = network_of("features"), pictures_of(3)[2]
    assert isinstance(network, FeatureNetwork)
    stored = network.describer.describe(image[None])
    shown = stages(network, image)
    assert shown[-2].values == pytest.approx(logits(network, stored)[0], abs=1e-5)


def test_the_heads_opinions_add_up_to_the_logits() -> None:
    shown = stages(network_of("features"), pictures_of(1)[0])
    opinions = [stage for stage in shown if stage.kind == "opinion"]
    assert [stage.counts for stage in opinions] == pytest.approx([0.5, 0.1, 0.1, 0.2, 0.3])
    assert all(stage.values.sum() == pytest.approx(1, abs=1e-5) for stage in opinions)
    weighed = sum(stage.counts * np.log(stage.values) for stage in opinions if stage.counts)
    assert named(shown, "logits").values == pytest.approx(weighed, abs=1e-4)


@pytest.mark.parametrize(("name", "before"), [("conv1", "normalise"), ("conv2", "pool1")])
def test_a_cell_is_its_filter_times_its_patch(name: str, before: str) -> None:
    """What a page works out from the packed numbers is what the network computed."""
    shown = stages(network_of("seed"), pictures_of(1)[0])
    data = packed(shown, {})
    header, values = unpacked(data)
    places = {stage["name"]: place for place, stage in enumerate(header["stages"])}
    stage, maps = header["stages"][places[name]], values[places[before]]
    body = data[4 + int.from_bytes(data[:4], "little") :]
    weights, bias = (
        np.frombuffer(body, "<f4", int(np.prod(part["shown"])), part["at"]).reshape(part["shown"])
        for part in (stage["window"]["weights"], stage["window"]["bias"])
    )
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)))
    patch = padded[:, 3 : 3 + 3, 7 : 7 + 3]  # of the cell in row 3, column 7
    made = bias[2] + (weights[2] * patch).sum()
    coarse = header["stages"][places[before]]["scale"] * float(np.abs(weights[2]).sum())
    assert made == pytest.approx(named(shown, name).values[2, 3, 7], abs=coarse)


def test_the_stem_of_the_pretrained_network_says_how_its_cells_are_made() -> None:
    shown = stages(network_of("features"), pictures_of(1)[0])
    window, pixels = named(shown, "stem").window, named(shown, "normalise").values
    assert window is not None
    assert window.weights is not None
    assert window.bias is not None
    patch = pixels[2 * 5 : 2 * 5 + 3, 2 * 9 : 2 * 9 + 3].transpose(2, 0, 1)  # nothing above
    made = np.clip(window.bias[4] + (window.weights[4] * patch).sum(), 0, 6)
    assert window.then == "relu6"
    assert made == pytest.approx(named(shown, "stem").values[4, 5, 9], abs=1e-4)


def test_an_ensemble_shows_each_member_and_how_much_it_counts() -> None:
    network, image = build(config_of("features+seed")), pictures_of(1)[0]
    assert isinstance(network, EnsembleNetwork)
    network.weigh(torch.tensor([0.3, 0.9]))
    shown = stages(network, image)
    assert {"seed: conv1", "seed: logits", "features: stem"} < {stage.name for stage in shown}
    assert len({stage.name for stage in shown}) == len(shown)
    opinions = [named(shown, f"{member}: opinion") for member in ("features", "seed")]
    assert [one.counts for one in opinions] == pytest.approx([0.3, 0.9])
    said = sum(one.counts * np.log(one.values) for one in opinions if one.counts)
    assert named(shown, "logits").values == pytest.approx(said, abs=1e-4)
    assert shown[-2].values == pytest.approx(logits(network, image[None])[0], abs=2e-3)


class Residual(nn.Module):
    """A stage made of several modules."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding="same")

    def forward(self, maps: Tensor) -> Tensor:
        return maps + torch.relu(self.conv(maps))


def test_a_stage_of_several_modules_shows_what_comes_out_of_it() -> None:
    network = StagedNetwork(
        3,
        OrderedDict(
            conv=nn.Conv2d(3, 4, 5, stride=2, padding=2, bias=False),
            residual=Residual(),
            mean=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            logits=nn.Linear(4, 3),
        ),
    )
    shown = stages(network, pictures_of(1)[0])
    assert named(shown, "residual").kind == "residual"
    assert named(shown, "residual").window is None
    assert named(shown, "residual").values.shape == (4, 16, 16)
    assert named(shown, "mean").kind == "pooling"
    window = named(shown, "conv").window
    assert window is not None
    assert (window.kernel, window.stride, window.padding) == ((5, 5), (2, 2), (2, 2))
    assert window.bias is not None
    assert not window.bias.any()


def test_a_network_that_names_no_stages_shows_what_goes_in_and_what_comes_out() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(EDGE * EDGE * 3, 4))
    network.forward = lambda images: nn.Sequential.forward(network, images.float())  # type: ignore[method-assign]
    shown = stages(network, pictures_of(1)[0])
    assert [stage.name for stage in shown] == ["input", "logits", "softmax"]


def test_an_in_place_module_does_not_write_into_the_stage_before_it() -> None:
    network = StagedNetwork(
        3,
        OrderedDict(
            conv=nn.Conv2d(3, 2, 3), relu=nn.ReLU(inplace=True), flatten=nn.Flatten(),
            logits=nn.Linear(2 * 30 * 30, 3),
        ),
    )  # fmt: skip
    assert named(stages(network, pictures_of(1)[0]), "conv").values.min() < 0


def test_a_network_that_says_nan_is_no_replay() -> None:
    network = network_of("seed")
    nn.init.constant_(network.get_parameter("stages.logits.bias"), float("nan"))
    with pytest.raises(ValueError, match="NaN"):
        stages(network, pictures_of(1)[0])
    with pytest.raises(ValueError, match="'conv' holds NaN"):
        packed([Stage("conv", "convolution", np.full((1, 2, 2), np.nan, np.float32))], {})


def test_a_map_is_read_back_within_half_a_step_of_what_it_was() -> None:
    maps = np.random.default_rng(0).normal(size=(5, 7, 9)).astype(np.float32)
    header, (found,) = unpacked(packed([Stage("conv", "convolution", maps)], {}))
    step = header["stages"][0]["scale"]
    assert step == pytest.approx((maps.max() - maps.min()) / 255)
    assert np.abs(found - maps).max() <= step / 2 + 1e-6


def test_a_blank_map_is_blank() -> None:
    _, (found,) = unpacked(packed([Stage("c", "relu", np.full((2, 3, 3), -1.5, np.float32))], {}))
    assert (found == -1.5).all()


def test_what_is_too_much_for_a_page_is_left_out_and_said() -> None:
    large = np.arange(300 * 100 * 70, dtype=np.float32).reshape(300, 100, 70)
    long = np.arange(10_000, dtype=np.float32)
    data = packed([Stage("c", "block", large), Stage("f", "flatten", long)], {})
    header, (maps, units) = unpacked(data)
    about, flat = header["stages"]
    assert (about["shape"], about["pooled"]) == ([300, 100, 70], 2)
    assert maps.shape == (37, 50, 35)
    assert about["left_out"] == 300 - 37
    assert maps[3, 1, 1] == pytest.approx(large[3, 2:4, 2:4].mean(), abs=about["scale"])
    assert (flat["shape"], flat["left_out"], len(units)) == ([10_000], 10_000 - 4096, 4096)
    assert len(data) < 100_000


def test_the_last_cells_of_a_side_that_does_not_divide_are_means_of_what_is_there() -> None:
    odd = np.zeros((1, 65, 65), dtype=np.float32)
    odd[0, 64, 64] = 8.0
    _, (found,) = unpacked(packed([Stage("c", "relu", odd)], {}))
    assert found.shape == (1, 33, 33)
    assert found[0, 32, 32] == pytest.approx(8.0)


def test_every_class_is_told_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "MOST_UNITS", 4)
    shown = [Stage("h", "linear", row(*range(9))), Stage("softmax", "softmax", row(*range(9)))]
    header, (hidden, softmax) = unpacked(packed(shown, {}))
    assert (len(hidden), len(softmax)) == (4, 9)
    assert header["stages"][0]["left_out"] == 5


def test_no_arithmetic_is_told_where_cells_are_means_or_weights_too_many() -> None:
    weights = np.zeros((64, 3, 3, 3), np.float32)
    window = Window((3, 3), (1, 1), (1, 1), 1, weights, weights[:, 0, 0, 0])
    pixels = Stage("normalise", "normalise", np.zeros((128, 128, 3), np.float32))
    maps = Stage("conv", "convolution", np.zeros((64, 128, 128), np.float32), window)
    header, _ = unpacked(packed([pixels, maps], {}))
    assert header["stages"][1]["window"] is None
    many = np.zeros((64, 256, 5, 5), np.float32)
    deep = Window((5, 5), (1, 1), (2, 2), 1, many, many[:, 0, 0, 0])
    before = Stage("relu", "relu", np.zeros((256, 4, 4), np.float32))
    after = Stage("conv", "convolution", np.zeros((64, 4, 4), np.float32), deep)
    header, _ = unpacked(packed([before, after], {}))
    assert header["stages"][1]["window"]["weights"] is None


def test_other_data_is_no_replay() -> None:
    data = packed([], {})
    with pytest.raises(ValueError, match="format"):
        unpacked(data.replace(b"labelhub", b"elsewhat"))
