"""What every test of the workers has: a DATA_DIR of its own."""

from pathlib import Path

import pytest
from django.conf import settings


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row ids begin again with every test; pictures and shards must too."""
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
