"""Deleting a tenant: what begins it, and what keeps its late calls out meanwhile.

The job belongs to the administrator's tenant, names the tenant only until it is done, and is carried out by a worker
(`worker.tenant_deletion`). Asking again gives it a fresh grant and lets it go on at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping, insert, select, update

from ingest.jobs.lifecycle import new_job
from ingest.tables import JOBS, TENANT_DELETIONS
from servicekit.core.clock import Clock
from servicekit.jobs.tables import LIVE, JobOwner
from servicekit.sql.database import Database
from servicekit.sql.transaction import Transaction
from servicekit.sql.upserts import insert_if_absent


async def begin_deletion(
    database: Database, clock: Clock, job_owner: JobOwner, tenant: str, key_ids: Sequence[str]
) -> RowMapping:
    """The job that deletes a tenant: a new one, or the one that is at it, with this job owner."""
    job = new_job("tenant_deletion", job_owner, "", None, clock.now())
    job["details"] = {"tenant": tenant, "key_ids": list(key_ids)}
    async with database.write() as connection:
        values = {"tenant": tenant, "job_id": job["id"]}
        if await insert_if_absent(connection, TENANT_DELETIONS, values, [TENANT_DELETIONS.c.tenant]):
            await connection.execute(insert(JOBS).values(**job))
            return await _job(connection, job["id"])
        known = select(TENANT_DELETIONS.c.job_id).where(TENANT_DELETIONS.c.tenant == tenant)
        job_id = (await connection.execute(known)).scalar_one()
        renewed = {"grant_token": job_owner.grant, "grant_key_id": job_owner.key_id, "not_before": None}
        await connection.execute(update(JOBS).where(JOBS.c.id == job_id, JOBS.c.status.in_(LIVE)).values(**renewed))
        return await _job(connection, job_id)


async def _job(connection: Transaction, job_id: str) -> RowMapping:
    return (await connection.execute(select(JOBS).where(JOBS.c.id == job_id))).mappings().one()
