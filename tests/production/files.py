"""The production files as data: docker-compose.yml with its variables filled in, the Dockerfile as
instructions."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"
OUTSIDE = {"LABELHUB_HOST": "labels.example.org"}  # what the operator must give

_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}|\$(\$)")


def _filled_in(text: str) -> str:
    """Compose's own rules for ``${NAME:-default}``, ``${NAME:?words}`` and ``$$``."""

    def value(found: re.Match[str]) -> str:
        name, kind, rest, dollar = found.groups()
        if dollar:
            return "$"
        if name in OUTSIDE:
            return OUTSIDE[name]
        if kind == "-":
            return str(rest)
        raise KeyError(f"docker-compose.yml asks for {name}, and no operator was told to give it")

    return _VARIABLE.sub(value, text)


def _walked(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _walked(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_walked(value) for value in node]
    return _filled_in(node) if isinstance(node, str) else node


@cache
def compose() -> dict[str, Any]:
    """docker-compose.yml, anchors and variables resolved."""
    return dict(_walked(yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))))


def services() -> dict[str, dict[str, Any]]:
    """The services by name."""
    return dict(compose()["services"])


def own_services() -> dict[str, dict[str, Any]]:
    """Those that run our image."""
    return {name: service for name, service in services().items() if "build" in service}


@cache
def dockerfile() -> tuple[tuple[str, str], ...]:
    """(INSTRUCTION, rest) in order; continued lines joined, comments dropped."""
    text = DOCKERFILE.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return tuple((words.partition(" ")[0], words.partition(" ")[2].strip()) for words in joined)


def image_environment() -> dict[str, str]:
    """What the Dockerfile's ENV gives to every process."""
    pairs = " ".join(rest for word, rest in dockerfile() if word == "ENV").split()
    return dict(pair.split("=", 1) for pair in pairs)
