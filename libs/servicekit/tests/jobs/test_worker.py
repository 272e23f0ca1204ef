"""The worker's loop, on SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.support.jobs.kind import empty_database
from tests.support.jobs.work_conformance import Workers

from servicekit.jobs.worker import _log_end, worker_name
from servicekit.sql.database import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with empty_database(None, tmp_path) as database:
        yield database


class TestWorkers(Workers):
    """As on any database."""


def test_no_two_processes_have_one_name_and_it_fits_its_column() -> None:
    names = {worker_name("agent") for _ in range(100)}
    assert len(names) == 100
    assert all(name.startswith("agent@") and len(name) <= 100 for name in names)


async def test_a_worker_that_breaks_off_is_told_and_one_that_ends_is_not() -> None:
    async def broken() -> None:
        raise RuntimeError("a bug")

    async def ended() -> None:
        return

    for work, logged in ((broken(), ["critical"]), (ended(), [])):
        task = asyncio.create_task(work)
        await asyncio.wait((task,))
        with capture_logs() as lines:
            _log_end(task)
        assert [line["log_level"] for line in lines] == logged
