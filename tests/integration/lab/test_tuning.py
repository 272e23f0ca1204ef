"""Tuning jobs over PostgreSQL, where others write while a tenant is deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from services.lab.tests.tuning.learning import Bench, ScriptedMethod
from sqlalchemy import select, text, update
from tests.support.home.postgres import postgres_installed, temporary_postgres

from lab.bootstrap import open_dependencies
from lab.settings import LabSettings
from lab.tables import TUNING, TUNING_CHARGES
from lab.tuning import repository
from servicekit.sql.database import Database, rows_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LONG = 120.0


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    if not postgres_installed():
        pytest.skip("PostgreSQL is not installed")
    with temporary_postgres() as url:
        settings = LabSettings(data_dir=tmp_path, database_url=SecretStr(url), tuning_slots=0)
        async with open_dependencies(settings) as opened:
            yield Bench(opened, ScriptedMethod())


async def _blocked(database: Database) -> None:
    """Return once somebody waits for a lock."""
    waiting = text("SELECT 1 AS one FROM pg_locks WHERE NOT granted")
    async with asyncio.timeout(LONG):
        while not await database.read(lambda one: one.execute(waiting).all()):  # noqa: ASYNC110  # PostgreSQL tells nobody
            await asyncio.sleep(0.05)


async def test_a_tenant_that_is_deleted_owes_what_a_worker_writes_meanwhile(bench: Bench) -> None:
    await bench.save()
    made, database = await bench.start(), bench.opened.database
    same = TUNING.c.id == made.id
    await database.write(lambda one: one.execute(update(TUNING).where(same).values(trained_tokens=200)))
    async with database.write() as worker:
        await worker.execute(update(TUNING).where(same).values(trained_tokens=500))
        deleting = asyncio.create_task(database.write(lambda one: repository.delete_tenant(one, "acme", NOW)))
        await _blocked(database)
    await deleting
    owed = await database.read(rows_of(select(TUNING_CHARGES)))
    assert [(row["job_id"], row["tokens"]) for row in owed] == [(made.id, 500)]
