"""What every test can ask for."""

from collections.abc import Iterator

import pytest

from labelhub.benchmarks.postgres import database_of_its_own, postgres_url
from labelhub.projects import selectors
from labelhub.votes import parameters


@pytest.fixture(autouse=True)
def rows_of_its_own() -> None:
    """Every test has a database of its own, whose ids another test's rows had; all tests share one
    process, which keeps some rows by id and time, and their clock stands."""
    selectors._catalogue.cache_clear()
    parameters.annotator_model.cache_clear()


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
