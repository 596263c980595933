"""``python -m classifier predict MODEL IMAGE...``: a network's word on pictures, one a line;
``python -m classifier train DATA.npz MODEL``: a network of one's own; ``python -m classifier draw
MODEL|RECIPE OUT.svg``: a network's stages as a picture."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from classifier import drawing_command, training_command
from classifier.checkpoint import BadCheckpoint, LoadedModel, load
from classifier.dataset import prepare_image
from classifier.predict import logits, probabilities
from classifier.train import NonFiniteLoss
from classifier.uncertainty import entropy

OTHERS = {"train": training_command.run, "draw": drawing_command.run}


def main(arguments: list[str]) -> int:
    """Return the exit code: 0 only when every picture was classified."""
    parser = argparse.ArgumentParser(prog="python -m classifier", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    predict = commands.add_parser("predict", help="classify pictures with a saved model")
    predict.add_argument("model", type=Path, help="a model file")
    predict.add_argument("images", type=Path, nargs="+", metavar="image", help="a picture")
    predict.add_argument("--json", action="store_true", help="one JSON object a line")
    training = commands.add_parser("train", help="train a network on an .npz file")
    training_command.add_options(training)
    drawing = commands.add_parser("draw", help="draw a network's stages as SVG")
    drawing_command.add_options(drawing)
    options = parser.parse_args(arguments)
    if options.command in OTHERS:
        return _run(OTHERS[options.command], options)
    try:
        model = load(options.model)
    except BadCheckpoint as error:
        return _complain(str(error))
    except OSError as error:
        return _complain(f"{options.model}: {error.strerror or error}")
    codes = [_predict(model, path, as_json=options.json) for path in options.images]
    return max(codes)


def _run(command: Callable[[argparse.Namespace], str], options: argparse.Namespace) -> int:
    try:
        told = command(options)
    except OSError as error:
        return _complain(f"{error.filename or options.model}: {error.strerror or error}")
    except (ValueError, NonFiniteLoss) as error:
        return _complain(str(error))
    if told:
        print(told)
    return 0


def _predict(model: LoadedModel, path: Path, *, as_json: bool) -> int:
    try:
        with Image.open(path) as opened:
            image = prepare_image(opened, model.config.image_size, model.config.channels)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or error
        return _complain(f"{path}: not a readable picture ({reason})")
    spoken = logits(model.network, image[None], device="cpu")  # (1, classes)
    shares = probabilities(spoken, float(model.card.get("temperature", 1.0)))
    print(_line(path, _named(model, shares[0]), float(entropy(shares)[0]), as_json=as_json))
    return 0


def _named(model: LoadedModel, shares: npt.NDArray[np.float32]) -> dict[str, float]:
    """Class name to probability, the most probable first."""
    names: list[Any] = model.card.get("classes") or []
    if len(names) != model.config.classes:
        names = [f"class {index}" for index in range(model.config.classes)]
    return {str(names[index]): float(shares[index]) for index in np.argsort(-shares)}


def _line(path: Path, named: dict[str, float], nats: float, *, as_json: bool) -> str:
    if as_json:
        record = {"image": str(path), "probabilities": named, "entropy": nats}
        return json.dumps(record, ensure_ascii=False)
    spoken = "  ".join(f"{name} {share:.1%}" for name, share in named.items())
    return f"{path}: {spoken}  (entropy {nats:.3f} nats)"


def _complain(reason: str) -> int:
    print(f"error: {' '.join(reason.split())}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
