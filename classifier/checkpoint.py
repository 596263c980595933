"""The served file: safetensors with config and card inside, named by its SHA-256.

What many networks have in common (``common_names`` of the network) can lie beside them, once, in a
file that they name by its hash.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from classifier.atomic import replace_file
from classifier.card import PACKAGE, stands_here
from classifier.config import TrainConfig
from classifier.model import build

FAMILY = "labelhub-classifier-"
FORMAT = f"{FAMILY}1"
LENGTH_BYTES = 8  # safetensors: little-endian length of the JSON header, the header, the tensors


class BadCheckpoint(ValueError):
    """The file is not a network that may be served; the message says why."""


@dataclass(frozen=True)
class LoadedModel:
    """A network in evaluation mode on the CPU, what it is, and the hash of its file."""

    network: nn.Module
    config: TrainConfig
    card: dict[str, Any]
    sha256: str
    common: str | None = None  # hash of the file beside it that it needs


def save(
    path: Path, network: nn.Module, config: TrainConfig, card: dict[str, Any], *, alone: bool = True
) -> str:
    """Write the network in one step, old file or new, and return the file's SHA-256 (hex).

    ``card`` is free JSON (class names, temperature, scores). Unless it is to stand ``alone``, what
    it has in common with others goes into a file of the same folder, named by its hash. Raises
    ValueError or TypeError when the card is not JSON, OSError when the disk refuses; the old file
    then stands.
    """
    metadata, tensors = _metadata_of(config, card), _tensors_of(network)
    names = [] if alone else getattr(network, "common_names", [])
    if names:
        data = safetensors.torch.save({name: tensors.pop(name) for name in names})
        metadata["common"] = hashlib.sha256(data).hexdigest()
        beside = _beside(path, metadata["common"])
        if not beside.is_file():
            replace_file(beside, data)
    data = _packed(tensors, metadata)
    replace_file(path, data)
    return hashlib.sha256(data).hexdigest()


def whole_file(network: nn.Module, config: TrainConfig, card: dict[str, Any]) -> bytes:
    """The file that stands alone, for who wants it elsewhere. Raises as ``save`` does."""
    return _packed(_tensors_of(network), _metadata_of(config, card))


def _packed(tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """A safetensors file, the same for the same content: its writer takes the metadata in any
    order, so the header is written again in one."""
    data = safetensors.torch.save(tensors, metadata)
    end = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "little")
    header = json.dumps(json.loads(data[LENGTH_BYTES:end]), sort_keys=True).encode()
    header += b" " * (-len(header) % LENGTH_BYTES)
    return len(header).to_bytes(LENGTH_BYTES, "little") + header + data[end:]


def _metadata_of(config: TrainConfig, card: dict[str, Any]) -> dict[str, str]:
    return {
        "format": FORMAT,
        "config": json.dumps(config.to_dict(), sort_keys=True, allow_nan=False),
        "card": json.dumps(card, sort_keys=True, allow_nan=False),
    }


def _tensors_of(network: nn.Module) -> dict[str, Tensor]:
    return {name: one.cpu().contiguous() for name, one in network.state_dict().items()}


def _beside(path: Path, sha256: str) -> Path:
    """Where a file of this hash lies in the same folder."""
    return path.with_name(f"{sha256}.safetensors")


def load(path: Path, *, expected_sha256: str | None = None) -> LoadedModel:
    """Read a file that ``save`` wrote; nothing in it is ever executed.

    The very bytes that were hashed are the ones used. Raises OSError when the file cannot be
    read and BadCheckpoint when it is not the expected one, cut short, no safetensors file, of
    an unknown recipe, of tensors that do not fit the recipe, holds NaN or infinity, lacks the file
    beside it that it needs, or needs other pretrained weights than are installed here.
    """
    data, sha256 = _read(path, expected_sha256)
    tensors = _tensors(path, data)
    metadata = _metadata(data)
    config, card = _described(path, metadata)
    common = metadata.get("common")
    if common is not None:
        if not re.fullmatch("[0-9a-f]{64}", common):
            raise BadCheckpoint(f"{path}: it needs {common!r}, which is no hash")
        beside = _beside(path, common)
        try:
            tensors |= _tensors(beside, _read(beside, common)[0])
        except FileNotFoundError as error:
            raise BadCheckpoint(f"{path}: it needs {beside.name}, which is gone") from error
    network = _network(path, config, tensors)
    if not stands_here(network, card):
        raise BadCheckpoint(
            f"{path}: it needs other pretrained weights than those of {PACKAGE} here"
        )
    return LoadedModel(network, config, card, sha256, common)


def _read(path: Path, expected_sha256: str | None) -> tuple[bytes, str]:
    """The bytes of a file and their hash."""
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    if expected_sha256 is not None and sha256 != expected_sha256.lower():
        raise BadCheckpoint(f"{path}: its SHA-256 is {sha256}, expected {expected_sha256}")
    return data, sha256


def _tensors(path: Path, data: bytes) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load(data)
    except (SafetensorError, KeyError) as error:
        raise BadCheckpoint(f"{path}: no whole safetensors file ({error})") from error


def _metadata(data: bytes) -> dict[str, str]:
    """The header's metadata; only for bytes that safetensors has accepted."""
    end = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "little")
    metadata: dict[str, str] = json.loads(data[LENGTH_BYTES:end]).get("__metadata__", {})
    return metadata


def _described(path: Path, metadata: dict[str, str]) -> tuple[TrainConfig, dict[str, Any]]:
    found = str(metadata.get("format"))
    if found != FORMAT:
        newer = found.startswith(FAMILY) and "; another version of LabelHub wrote it"
        raise BadCheckpoint(f"{path}: its format is {found!r}, not {FORMAT!r}{newer or ''}")
    try:
        config, card = json.loads(metadata["config"]), json.loads(metadata["card"])
        objects = isinstance(config, dict) and isinstance(card, dict)
        read = TrainConfig.from_dict(config) if objects else None
    except KeyError as error:
        raise BadCheckpoint(f"{path}: it carries no {error.args[0]}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise BadCheckpoint(f"{path}: its config or card is wrong: {error}") from error
    if read is None:
        raise BadCheckpoint(f"{path}: its config or card is no JSON object")
    return read, card


def _network(path: Path, config: TrainConfig, tensors: dict[str, Tensor]) -> nn.Module:
    try:
        with torch.device("meta"):  # shapes without memory: a lying config allocates nothing
            network = build(config)
    except (ValueError, RuntimeError) as error:
        raise BadCheckpoint(f"{path}: {error}") from error
    expected = network.state_dict()
    strangers = sorted(expected.keys() ^ tensors.keys())
    if strangers:
        raise BadCheckpoint(f"{path}: tensor {strangers[0]!r} does not fit the recipe")
    for name, tensor in tensors.items():
        wanted = expected[name]
        if tensor.shape != wanted.shape or tensor.dtype != wanted.dtype:
            found, needed = tuple(tensor.shape), tuple(wanted.shape)
            raise BadCheckpoint(f"{path}: tensor {name!r} is {found}, the recipe needs {needed}")
        if not torch.isfinite(tensor).all():
            raise BadCheckpoint(f"{path}: tensor {name!r} holds NaN or infinity")
    network.load_state_dict(tensors, assign=True)
    return network.eval()
