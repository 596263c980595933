"""Where a project's networks lie, and whether the files of a version are whole, by their hashes."""

import hashlib
from pathlib import Path

from django.conf import settings
from safetensors import safe_open

from labelhub.projects.models import Project
from labelhub.rounds.models import ModelVersion


def model_folder(project: Project) -> Path:
    """Networks that were published, each named by the hash of its file."""
    folder = Path(settings.DATA_DIR) / "models" / str(project.pk)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def file_trouble(*, version: ModelVersion) -> str:
    """In words, the first file of a version that is lost or damaged; empty where all are whole."""
    folder, common = model_folder(version.project), set[str]()
    for sha256 in [version.sha256, *version.fold_sha256]:
        path = folder / f"{sha256}.safetensors"
        if trouble := _trouble(path, sha256):
            return trouble
        with safe_open(path, framework="numpy") as file:
            common |= {(file.metadata() or {}).get("common", "")}
    for sha256 in common - {""}:
        if trouble := _trouble(folder / f"{sha256}.safetensors", sha256):
            return trouble
    return ""


def _trouble(path: Path, sha256: str) -> str:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"its file {path} cannot be read ({error.strerror})"
    return "" if found == sha256 else f"its file {path} is damaged"
