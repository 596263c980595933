"""What every test can ask for."""

from collections.abc import Iterator

import pytest

from labelhub.benchmarks.postgres import database_of_its_own, postgres_url


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real PostgreSQL server."""
    with postgres_url(autovacuum=False) as url:
        yield url


@pytest.fixture
def empty_postgres(postgres: str) -> Iterator[str]:
    """The URL of a PostgreSQL database of this test's own, without any table yet."""
    with database_of_its_own(postgres) as url:
        yield url
