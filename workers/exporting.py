"""A version as one file that leaves: its network whole, and a card that tells what it is."""

import json
from pathlib import Path
from typing import Any

from classifier import card, checkpoint
from classifier.checkpoint import LoadedModel
from classifier.onnx_export import onnx_bytes
from labelhub.projects.models import LabelClass
from labelhub.rounds.models import ModelVersion
from workers.networks import published

SAFETENSORS, ONNX = "safetensors", "onnx"
CARD = "labelhub-card-1"


def exported(
    *, version: ModelVersion, file_format: str, licence: str
) -> tuple[bytes, dict[str, Any]]:
    """The file and its card: the same bytes for the same version.

    ``file_format`` is ``safetensors`` or ``onnx``. Raises BadCheckpoint when the version's file is
    lost or is not the one that was published, RuntimeError when its network cannot be ONNX.
    """
    model = published(project=version.project, sha256=version.sha256)
    told = _card(version, model, licence, inside=file_format == ONNX)
    if file_format == SAFETENSORS:
        return checkpoint.whole_file(model.network, model.config, told), told
    metadata = {
        "card": json.dumps(told, sort_keys=True, allow_nan=False),
        "classes": json.dumps(told["classes"]),
        "class_names": json.dumps(told["class_names"], ensure_ascii=False),
        "preprocessing": told["input"]["in_words"],
        "licence": licence,
    }
    data = onnx_bytes(
        model.network, model.config, temperature=version.temperature, metadata=metadata
    )
    return data, told


def card_path(path: Path) -> Path:
    """Where the card of an exported file lies: beside it."""
    return path.with_name(f"{path.name}.json")


def _card(
    version: ModelVersion, model: LoadedModel, licence: str, *, inside: bool
) -> dict[str, Any]:
    rows = LabelClass.objects.filter(project=version.project).in_bulk(version.label_classes)
    classes = [rows[pk] for pk in version.label_classes]
    promoted = version.promoted_at
    return {
        "format": CARD,
        "project": version.project.slug,
        "project_name": version.project.name,
        "model_version": version.number,
        "round": version.round.number,
        "trained_at": version.created_at.isoformat(),
        "promoted_at": promoted.isoformat() if promoted else None,
        "recipe": version.recipe,
        "classes": [row.key for row in classes],
        "class_names": [row.name for row in classes],
        "input": card.input_of(model.network, model.config),
        "output": "probabilities = softmax(logits / temperature), one a class in their order",
        "temperature": version.temperature,
        "metrics": {**version.metrics, "provisional": version.provisional},
        "snapshot_sha256": version.round.snapshot_sha256,
        "network_sha256": version.sha256,
        "licence": licence,
        "pretrained": card.pretrained_of(model.network, model.config, inside=inside),
    }
