"""Pictures of these tests lie in a folder of their own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this test's pictures are stored."""
    settings.DATA_DIR = tmp_path_factory.mktemp("data")
    return settings.DATA_DIR
