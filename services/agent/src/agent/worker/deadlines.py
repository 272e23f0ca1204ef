"""Ends runs whose time is over while they wait to be tried again: no worker has them, and all may be busy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping, select

from agent import metrics
from agent.runs.checkpoints import SqlCheckpoints
from agent.runs.conclusion import Conclusion, conclude, messages_of
from agent.runs.recorder import RunEnd, RunRecorder
from agent.tables import RUN_EVENTS, RUN_JOBS, RUNS
from agent.threads.messages import last_text
from servicekit.jobs.cancellation import revoke
from servicekit.jobs.leased_job import JobStore
from servicekit.sql.database import rows_of

AT_ONCE = 100


async def end_overdue(store: JobStore, checkpoints: SqlCheckpoints, recorder: RunRecorder) -> None:
    """End those that are over by now, each in a transaction of its own."""
    overdue = select(RUNS).where(RUNS.c.status == "queued", RUNS.c.deadline_at <= store.clock.now()).limit(AT_ONCE)
    for row in await store.database.read(rows_of(overdue)):
        ended = await _end(store, checkpoints, row)
        if ended:
            metrics.RUNS.labels("limit_reached").inc()
            recorder.submit(RunEnd(row["grant_token"] or "", row["thread_id"], row["id"]))
            store.notifier.notify(row["id"])


async def _end(store: JobStore, checkpoints: SqlCheckpoints, row: RowMapping) -> bool:
    """Whether it still waited."""
    now = store.clock.now()
    async with store.database.write() as connection:
        said = await messages_of(connection, checkpoints, dict(row))
        ending = Conclusion("limit_reached", last_text(said), "seconds")
        took = row["active_seconds"] + (row["deadline_at"] - row["paused_at"]).total_seconds()
        values: Mapping[str, Any] = {
            **ending.values(now),
            "active_seconds": took,
            "paused_at": None,
            "deadline_at": None,
            "last_event": RUNS.c.last_event + 1,
        }
        is_same = (RUNS.c.id == row["id"]) & (RUNS.c.fence == row["fence"])
        ended = await revoke(connection, RUN_JOBS, is_same, values, ("queued",))
        for each in ended:
            await RUN_EVENTS.add(connection, each["id"], each["last_event"], [ending.event()], now)
            await conclude(connection, checkpoints, dict(each), now)
    return bool(ended)
