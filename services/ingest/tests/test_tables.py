from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, update
from sqlalchemy.exc import IntegrityError
from tests.support.jobs.claim_plan import claim_plan

from ingest.jobs.lifecycle import JobKind, new_job
from ingest.tables import INGEST_JOBS, JOBS, metadata
from servicekit.sql.database import Database

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service


async def test_the_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with database.read() as connection:
        assert await connection.run(differences) == []


@pytest.mark.parametrize(
    ("kind", "ended", "is_one"),
    [
        ("document", "failed", True),
        ("reindex", "ready", True),
        ("withdrawal", "ready", False),
        ("document_deletion", "ready", False),
    ],
)
async def test_a_document_has_one_live_job_and_a_collection_one_live_reindex_and_any_number_of_ended_ones(
    service: Service, kind: JobKind, ended: str, is_one: bool
) -> None:
    def row() -> dict[str, object]:
        return new_job(kind, service.job_owner(), "other", ("doc_1", "a", 1), service.clock.now())

    for _ in range(2):
        async with service.database.write() as connection:
            await connection.execute(insert(JOBS).values(**row()))
            await connection.execute(update(JOBS).values(status=ended))
    async with service.database.write() as connection:
        await connection.execute(insert(JOBS).values(**row()))
    if is_one:
        with pytest.raises(IntegrityError):
            async with service.database.write() as connection:
                await connection.execute(insert(JOBS).values(**row()))
    else:
        async with service.database.write() as connection:
            await connection.execute(insert(JOBS).values(**row()))


async def test_a_job_without_a_grant_is_nobody_s_to_work_on(service: Service) -> None:
    await service.upload()
    async with service.database.write() as connection:
        await connection.execute(update(JOBS).values(grant_token=None))
    assert await service.worker.queue.claim("worker") is None
    async with service.database.write() as connection:
        await connection.execute(update(JOBS).values(grant_token="grant"))
    assert await service.worker.queue.claim("worker") is not None


def test_a_claim_does_not_go_through_all_jobs_there_ever_were() -> None:
    assert [step for step in claim_plan(metadata, INGEST_JOBS) if step.startswith("SCAN")] == [
        "SCAN due USING INDEX jobs_live"
    ]
