"""Reads the settings that come from the environment, and refuses to guess.

Every variable may also be given as ``NAME_FILE``, the path of a file that holds the value, so that
secrets can come from files (Docker and Kubernetes secrets). Embedded runs read a git-ignored
``.env`` written by ``make install``; production ignores that file.
"""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def read_env_file(path: Path) -> dict[str, str]:
    """Lines ``NAME=value`` of a file; blank lines and ``#`` comments are skipped."""
    if not path.is_file():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ImproperlyConfigured(
            f"cannot read {path} ({error.strerror}): it holds the key of whoever ran 'make install'"
        ) from error
    pairs = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, found, value = text.partition("=")
        if not found:
            raise ImproperlyConfigured(f"{path}, line {number}: expected NAME=value, got {text!r}")
        pairs[name.strip()] = value.strip()
    return pairs


class Environment:
    """The process environment over an optional file of defaults."""

    def __init__(self, defaults: dict[str, str]) -> None:
        self._defaults = defaults

    def optional(self, name: str, default: str) -> str:
        """The value of NAME, or of the file named by NAME_FILE, or the default."""
        if name in os.environ:
            return os.environ[name]
        if path := os.environ.get(f"{name}_FILE"):
            try:
                return Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise ImproperlyConfigured(
                    f"{name}_FILE: cannot read {path}: {error.strerror}"
                ) from error
        return self._defaults.get(name, default)

    def required(self, name: str, remedy: str) -> str:
        """The value of NAME. Raises ImproperlyConfigured with the remedy when it is not set."""
        value = self.optional(name, "")
        if not value:
            raise ImproperlyConfigured(f"{name} is not set: {remedy}")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """NAME as a yes or no. Raises ImproperlyConfigured on anything else."""
        text = self.optional(name, "1" if default else "0").lower()
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
        raise ImproperlyConfigured(f"{name} must be one of 1, 0, true, false; got {text!r}")

    def names(self, name: str, default: str = "") -> list[str]:
        """NAME as a comma-separated list."""
        return [part.strip() for part in self.optional(name, default).split(",") if part.strip()]
