"""A config that makes no sense is refused by the name of the field."""

import json
from typing import Any

import pytest

from classifier.config import Augmentation, TrainConfig


def test_a_config_survives_json() -> None:
    config = TrainConfig(classes=5, steps=9, threads=2, augmentation=Augmentation.outline())
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_missing_fields_take_their_defaults() -> None:
    assert TrainConfig.from_dict({"classes": 4}) == TrainConfig(classes=4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"classes": 1}, {"classes": "six"}, {"classes": True}, {"image_size": 4}, {"channels": 2},
        {"steps": 0}, {"batch_size": 0}, {"learning_rate": 0}, {"learning_rate": float("nan")},
        {"weight_decay": -1}, {"seed": -1}, {"threads": 0}, {"device": "toaster"},
        {"recipe": None}, {"augmentation": None}, {"colour_of_the_bikeshed": 1},
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_the_name_of_its_field(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrainConfig.from_dict({"classes": 3} | wrong)


@pytest.mark.parametrize("wrong", [{"shift": -1}, {"flip": 1}, {"noise": 2.0}, {"wobble": 3}])
def test_a_wrong_augmentation_is_refused_by_the_name_of_its_field(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrainConfig.from_dict({"classes": 3, "augmentation": wrong})


def test_a_config_without_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="classes"):
        TrainConfig.from_dict({"steps": 3})
