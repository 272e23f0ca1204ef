from __future__ import annotations

from services.ingest.tests.conftest import Service
from sqlalchemy import select, update

from ingest.tables import JOBS
from ingest.worker.housekeeping import prune_jobs
from servicekit.sql.transaction import Transaction

DAY = 86_400


async def test_ended_jobs_are_kept_for_the_days_of_the_setting_and_live_ones_for_ever(service: Service) -> None:
    await service.upload("Done.")
    await service.work_all()
    await service.upload("Waits.", document_id="waiting")

    async def ids(connection: Transaction) -> int:
        return len((await connection.execute(select(JOBS.c.id))).all())

    service.clock.advance(89 * DAY)
    assert await prune_jobs(service.database, service.clock, 90) == 0
    service.clock.advance(2 * DAY)
    assert await prune_jobs(service.database, service.clock, 90) == 1
    async with service.database.write() as connection:
        assert await ids(connection) == 1
        await connection.execute(update(JOBS).values(status="failed", finished_at=service.clock.now()))
    assert await prune_jobs(service.database, service.clock, 90) == 0
