"""``python -m classifier predict MODEL IMAGE...``: a network's word on pictures, one a line."""

import argparse
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm import tqdm

from classifier.card import classes_of, temperature_of
from classifier.checkpoint import BadCheckpoint, LoadedModel, load
from classifier.dataset import prepare_image
from classifier.predict import logits, probabilities
from classifier.uncertainty import entropy

AT_ONCE = 64  # pictures read before the network is asked


@dataclass(frozen=True)
class Speaker:
    """A network that is asked, and how its answers are written."""

    path: Path
    model: LoadedModel
    temperature: float
    as_json: bool


@dataclass(frozen=True)
class Unreadable:
    """Why there is nothing to say of a picture."""

    reason: str


def add_options(parser: argparse.ArgumentParser) -> None:
    """What is given on the command line."""
    parser.add_argument(
        "model", type=Path, help="a .safetensors file, as 'manage.py export_model' writes it"
    )
    parser.add_argument("images", type=Path, nargs="+", metavar="image", help="a picture")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(options: argparse.Namespace) -> int:
    """Write a line a picture; gives the exit code, 0 only when every picture was classified.

    Raises OSError and ValueError for a model that cannot be used.
    """
    try:
        model = load(options.model)
        temperature = temperature_of(model.card)
    except BadCheckpoint as error:
        raise BadCheckpoint(_with_advice(options.model, str(error))) from error
    except ValueError as error:
        raise BadCheckpoint(f"{options.model}: {error}") from error
    speaker = Speaker(options.model, model, temperature, options.json)
    return max(_predict(speaker, part) for part in _parts(options.images))


def _with_advice(path: Path, complaint: str) -> str:
    if path.suffix.lower() == ".onnx":
        return f"{path}: predict takes .safetensors; run ONNX with onnxruntime (docs/exports.md)"
    return complaint


def _parts(paths: Sequence[Path]) -> Iterator[Sequence[Path]]:
    """As many pictures as go through the network at once; shows how far it is where the lines
    themselves do not."""
    hidden = sys.stdout.isatty() or not sys.stderr.isatty() or len(paths) <= AT_ONCE
    with tqdm(total=len(paths), unit=" pictures", leave=False, disable=hidden) as bar:
        for start in range(0, len(paths), AT_ONCE):
            part = paths[start : start + AT_ONCE]
            yield part
            bar.update(len(part))


def _predict(speaker: Speaker, paths: Sequence[Path]) -> int:
    """Write what the network says of each, in the order given; gives the exit code."""
    config = speaker.model.config
    found = [_read(path, config.image_size, config.channels) for path in paths]
    pixels = [one for one in found if not isinstance(one, Unreadable)]
    try:
        shares = iter(_shares(speaker, pixels))
    except (ValueError, RuntimeError) as error:
        return complain(f"{speaker.path}: its network cannot be asked ({error})")
    for path, one in zip(paths, found, strict=True):
        if isinstance(one, Unreadable):
            complain(f"{path}: not a readable picture ({one.reason})")
        else:
            print(_line(speaker, path, next(shares)))
    sys.stdout.flush()
    return 1 if len(pixels) < len(paths) else 0


def _read(path: Path, image_size: int, channels: int) -> npt.NDArray[np.uint8] | Unreadable:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow finds odd is no line of ours
            with Image.open(path) as opened:
                return prepare_image(opened, image_size, channels)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return Unreadable(str(getattr(error, "strerror", None) or error))


def _shares(speaker: Speaker, pixels: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
    """Probabilities (n, classes) of pictures (H, W, C). Raises ValueError, RuntimeError."""
    if not pixels:
        return np.zeros((0, speaker.model.config.classes), np.float32)
    said = logits(speaker.model.network, np.stack(pixels), device="cpu")
    return probabilities(said, speaker.temperature)


def _line(speaker: Speaker, path: Path, shares: npt.NDArray[np.float32]) -> str:
    """What is said of one picture, the most probable class first; shares (classes,)."""
    keys, names = classes_of(speaker.model.card, len(shares))
    nats = float(entropy(shares[None])[0])
    order = np.argsort(-shares, kind="stable")
    if speaker.as_json:
        named = {keys[index]: float(shares[index]) for index in order}
        record = {"image": str(path), "probabilities": named, "entropy": nats}
        return json.dumps(record, ensure_ascii=False)
    spoken = "  ".join(f"{names[index]} {shares[index]:.1%}" for index in order)
    return _printable(f"{path}: {spoken}  (entropy {nats:.3f} nats)")


def complain(reason: str) -> int:
    """One line on stderr; gives the exit code."""
    print(f"error: {_printable(' '.join(reason.split()))}", file=sys.stderr)
    return 1


def _printable(line: str) -> str:
    """On one line, and with no word to the terminal, whatever a file or a class is called."""
    return "".join(one if one.isprintable() else _escaped(one) for one in line)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()
