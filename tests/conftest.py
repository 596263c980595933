"""What every test can ask for."""

from collections.abc import Iterator

import pytest

from labelhub.benchmarks.postgres import postgres_url


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real PostgreSQL server."""
    with postgres_url() as url:
        yield url
