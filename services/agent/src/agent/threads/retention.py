"""How long things are kept: all that a deleted tenant had goes, and threads that are too old."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, select

from agent.settings import AgentSettings
from agent.tables import (
    AGENTS,
    ANSWERS,
    CHECKPOINT_WRITES,
    CHECKPOINTS,
    EVENTS,
    IDEMPOTENCY,
    PROMPT_LABELS,
    PROMPT_VERSIONS,
    PROMPTS,
    RUNS,
    THREADS,
    VERSIONS,
)
from contracts.agents.runs import FINAL_RUN_STATUSES
from servicekit.sql.database import Database

AT_ONCE = 100
KEYS_AT_ONCE = 1000


async def delete_tenant(database: Database, tenant: str, key_ids: Sequence[str]) -> None:
    """Threads with all that is in them, then agents, prompts and kept answers. Can be repeated.

    A run under way loses its row, and with it the right to write.
    """
    await _delete_threads(database, THREADS.c.tenant == tenant)
    async with database.write() as connection:
        for table in (AGENTS, VERSIONS, PROMPTS, PROMPT_VERSIONS, PROMPT_LABELS):
            await connection.execute(delete(table).where(table.c.tenant == tenant))
        for first in range(0, len(key_ids), KEYS_AT_ONCE):
            these = IDEMPOTENCY.c.key_id.in_(key_ids[first : first + KEYS_AT_ONCE])
            await connection.execute(delete(IDEMPOTENCY).where(these))
    await database.clean()


async def prune(database: Database, now: datetime, settings: AgentSettings) -> None:
    """Events of runs that ended long ago, completions' threads, answers for `Idempotency-Key`, and threads too old."""
    before = now - timedelta(seconds=settings.events_kept_seconds)
    live = select(RUNS.c.thread_id).where(RUNS.c.status.not_in(FINAL_RUN_STATUSES))
    old = and_(THREADS.c.transient.is_(True), THREADS.c.updated_at < before, THREADS.c.id.not_in(live))
    ended = select(RUNS.c.id).where(RUNS.c.status.in_(FINAL_RUN_STATUSES), RUNS.c.finished_at < before)
    async with database.write() as connection:
        await connection.execute(delete(EVENTS).where(EVENTS.c.run_id.in_(ended)))
        await connection.execute(delete(THREADS).where(old))
        await ANSWERS.prune(connection, now)
    if days := settings.threads_kept_days:
        await prune_threads(database, now - timedelta(days=days))


async def prune_threads(database: Database, before: datetime) -> int:
    """Remove threads that nobody wrote to since and in which no run is under way; returns how many there were."""
    live = select(RUNS.c.thread_id).where(RUNS.c.status.not_in(FINAL_RUN_STATUSES))
    return await _delete_threads(database, (THREADS.c.updated_at < before) & THREADS.c.id.not_in(live))


async def _delete_threads(database: Database, which: ColumnElement[bool]) -> int:
    """Some at a time, with their runs, events, tool calls and checkpoints."""
    some, count = select(THREADS.c.id).where(which).limit(AT_ONCE), 0
    while True:
        async with database.write() as connection:
            threads = list((await connection.execute(some)).scalars())
            runs = select(RUNS.c.id).where(RUNS.c.thread_id.in_(threads))
            for table in (CHECKPOINTS, CHECKPOINT_WRITES):
                await connection.execute(delete(table).where(table.c.thread_id.in_(runs)))
            await connection.execute(delete(THREADS).where(THREADS.c.id.in_(threads)))
        count += len(threads)
        if len(threads) < AT_ONCE:
            return count
