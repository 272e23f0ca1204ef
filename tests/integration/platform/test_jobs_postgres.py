"""The job machine on PostgreSQL, where claims and writes really happen at the same time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.support.home.postgres import postgres_installed, temporary_postgres
from tests.support.jobs.kind import empty_database
from tests.support.jobs.queue_conformance import Cancels, Claims, Positions, Turns
from tests.support.jobs.work_conformance import Outcomes, Workers, Writes

from servicekit.sql.database import Database

pytestmark = pytest.mark.skipif(not postgres_installed(), reason="PostgreSQL is not installed")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with temporary_postgres() as url:
        yield url


@pytest.fixture
async def database(url: str, tmp_path: Path) -> AsyncIterator[Database]:
    async with empty_database(url, tmp_path) as database:
        yield database


class TestJobsOnPostgres(Claims, Turns, Positions, Cancels, Outcomes, Writes, Workers):
    """Every promise of the machine."""
