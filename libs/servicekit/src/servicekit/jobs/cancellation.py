"""Ending jobs from outside: by a flag that the worker looks at, or at once by raising the fence."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, select, update

from servicekit.jobs.leases import RELEASED
from servicekit.jobs.tables import LIVE, JobTable
from servicekit.sql.transaction import Transaction


async def request_cancel(connection: Transaction, jobs: JobTable, job_id: str) -> RowMapping | None:
    """Ask the worker of a job to end it; its row, or None where none is at work on it.

    The row is locked before it is looked at, so that no claim slips between this and what the caller does otherwise.
    """
    columns = jobs.table.c
    await connection.execute(select(columns.id).where(columns.id == job_id).with_for_update())
    asked = update(jobs.table).where(columns.id == job_id, columns.status == "running").values(cancel_requested=True)
    return (await connection.execute(asked.returning(*columns))).mappings().one_or_none()


async def revoke(
    connection: Transaction,
    jobs: JobTable,
    which: ColumnElement[bool],
    values: Mapping[str, Any],
    statuses: Collection[str] = LIVE,
) -> list[RowMapping]:
    """End jobs at once, running ones too: their fence rises, so that the next write of a worker's fails.

    `values` has at least their new status. Returns their rows afterwards.
    """
    columns = jobs.table.c
    statement = (
        update(jobs.table)
        .where(which, columns.status.in_(statuses))
        .values({**RELEASED, "fence": columns.fence + 1, "waiting_on": None, **values})
        .returning(*columns)
    )
    return list((await connection.execute(statement)).mappings().all())
