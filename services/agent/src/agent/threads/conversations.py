"""Conversations that clients keep as threads: what was said outside runs, for instance with `rag:` models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update

from agent.errors import ThreadBusy
from agent.tables import MESSAGES, RUNS, THREADS
from agent.threads import repository as threads
from agent.threads.errors import (
    MessagesOfRuns,
    MetadataTooLong,
    PositionBeyondEnd,
    ThreadChanged,
    ThreadFull,
    ThreadTooLarge,
)
from agent.threads.repository import MESSAGE_BYTES, Viewer
from contracts.agents.runs import FINAL_RUN_STATUSES, MAX_METADATA_CHARS, MessagesCreate, Thread
from servicekit.sql.transaction import Transaction

MOST_MESSAGES = 10_000
"""Of a thread that clients add messages to."""
MOST_BYTES = 20_000_000
"""Of all messages of such a thread, as they are stored."""


async def update_thread(
    connection: Transaction, viewer: Viewer, thread_id: str, changed: dict[str, Any], now: datetime
) -> Thread:
    """Put `changed` into the thread's metadata, without the fields that are null; raises `ThreadNotFound`, also for a
    thread that another key made.
    """
    row = await threads.get_thread(connection, viewer, thread_id, locked=True, mine=True)
    metadata = {name: value for name, value in {**row["metadata"], **changed}.items() if value is not None}
    if len(repr(metadata)) > MAX_METADATA_CHARS:
        raise MetadataTooLong(MAX_METADATA_CHARS)
    return await _changed(connection, thread_id, metadata=metadata, updated_at=now)


async def add_messages(
    connection: Transaction,
    viewer: Viewer,
    thread_id: str,
    new: MessagesCreate,
    now: datetime,
) -> Thread:
    """Add messages from a position on, by default at the end; those that stood there are replaced.

    Raises `ThreadNotFound`, also for a thread that another key made, `ThreadChanged`, `PositionBeyondEnd`,
    `ThreadFull`, `ThreadTooLarge`, `ThreadBusy` while a run is under way, `MessagesOfRuns`.
    """
    row = await threads.get_thread(connection, viewer, thread_id, locked=True, mine=True)
    if new.known not in (None, row["revision"]):
        raise ThreadChanged(new.known or 0, row["revision"])
    first = row["messages"] if new.position is None else new.position
    if first > row["messages"]:
        raise PositionBeyondEnd(first, row["messages"])
    if first + len(new.messages) > MOST_MESSAGES:
        raise ThreadFull(MOST_MESSAGES)
    live = select(RUNS.c.id).where(RUNS.c.thread_id == thread_id, RUNS.c.status.not_in(FINAL_RUN_STATUSES))
    if run_id := (await connection.execute(live.limit(1))).scalar_one_or_none():
        raise ThreadBusy(run_id)
    if first < row["messages"]:
        await _cut(connection, thread_id, first, row["summarised"])
    kept = [message.model_dump(mode="json", exclude_none=True) for message in new.messages]
    await _check_room(connection, thread_id, kept)
    await threads.append_messages(connection, thread_id, "", kept, now)
    return threads.to_thread(await threads.get_thread(connection, viewer, thread_id))


async def _check_room(connection: Transaction, thread_id: str, kept: Sequence[dict[str, Any]]) -> None:
    """Raises `ThreadTooLarge` if these are too much with the messages that stay."""
    stay = select(func.coalesce(func.sum(MESSAGE_BYTES), 0)).where(MESSAGES.c.thread_id == thread_id)
    size = (await connection.execute(stay)).scalar_one()
    if size + sum(len(json.dumps(message)) for message in kept) > MOST_BYTES:
        raise ThreadTooLarge(MOST_BYTES)


async def _cut(connection: Transaction, thread_id: str, first: int, summarised: int) -> None:
    """Remove the messages from `first` on, and a summary that stands for any of them."""
    rest = (MESSAGES.c.thread_id == thread_id) & (MESSAGES.c.position >= first)
    of_runs = select(MESSAGES.c.position).where(rest, MESSAGES.c.run_id != "").limit(1)
    if (await connection.execute(of_runs)).scalar_one_or_none() is not None:
        raise MessagesOfRuns(first)
    await connection.execute(delete(MESSAGES).where(rest))
    forgotten = {"summary": "", "summarised": 0} if summarised > first else {}
    await _changed(connection, thread_id, messages=first, **forgotten)


async def _changed(connection: Transaction, thread_id: str, **values: Any) -> Thread:
    statement = update(THREADS).where(THREADS.c.id == thread_id).values(**values).returning(*THREADS.c)
    return threads.to_thread((await connection.execute(statement)).mappings().one())
