"""Transactions of a leased job, and its events, on SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.jobs.kind import empty_database
from tests.support.jobs.work_conformance import Writes

from servicekit.sql.database import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with empty_database(None, tmp_path) as database:
        yield database


class TestWrites(Writes):
    """As on any database."""
