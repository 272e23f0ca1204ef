"""Threads: conversations that last, and the messages of their ended runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from agent.errors import ThreadNotFound
from agent.tables import CHECKPOINT_WRITES, CHECKPOINTS, MESSAGES, RUNS, THREADS
from contracts.access.delegation import Delegation
from contracts.agents.runs import HistoryMessage, Thread, ToolCall
from contracts.core.pages import Page
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.core.identifiers import new_id
from servicekit.sql.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks. A key that is limited to some collections or models sees only what it made itself."""

    tenant: str
    key_id: str
    limited: bool = False
    rights: Delegation | None = None
    """What its key may do; null means everything."""

    @classmethod
    def of(cls, delegation: Delegation) -> Viewer:
        """The caller."""
        limited = delegation.collections is not None or delegation.models is not None
        return cls(delegation.tenant, delegation.key_id, limited, delegation)


async def create_thread(
    connection: Transaction, viewer: Viewer, metadata: dict[str, Any], now: datetime, *, transient: bool = False
) -> Thread:
    """A new, empty thread. A transient one belongs to one completion, is not listed, and goes with its events."""
    values = {
        "id": new_id("thread"),
        "tenant": viewer.tenant,
        "key_id": viewer.key_id,
        "transient": transient,
        "metadata": metadata,
        "created_at": now,
        "updated_at": now,
    }
    made = insert(THREADS).values(**values).returning(*THREADS.c)
    return to_thread((await connection.execute(made)).mappings().one())


async def get_thread(connection: Transaction, viewer: Viewer, thread_id: str) -> RowMapping:
    """A thread's row; raises `ThreadNotFound`."""
    query = select(THREADS).where(THREADS.c.id == thread_id, THREADS.c.tenant == viewer.tenant)
    if viewer.limited:
        query = query.where(THREADS.c.key_id == viewer.key_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise ThreadNotFound(thread_id)
    return row


async def list_threads(connection: Transaction, viewer: Viewer, limit: int, cursor: str | None) -> Page[Thread]:
    """The threads that somebody sees, newest first."""
    query = select(THREADS).where(THREADS.c.tenant == viewer.tenant, THREADS.c.transient.is_(False))
    if viewer.limited:
        query = query.where(THREADS.c.key_id == viewer.key_id)
    if cursor is not None:
        query = query.where(THREADS.c.id < decode_cursor(cursor, str)[0])
    rows = (await connection.execute(query.order_by(THREADS.c.id.desc()).limit(limit + 1))).mappings().all()
    following = encode_cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
    return Page[Thread](data=[to_thread(row) for row in rows[:limit]], next_cursor=following)


async def delete_thread(connection: Transaction, viewer: Viewer, thread_id: str) -> list[str]:
    """A thread with all that belongs to it. A run under way loses its row, and with it the right to write.

    Returns the ids of its runs.
    """
    await get_thread(connection, viewer, thread_id)
    query = select(RUNS.c.id).where(RUNS.c.thread_id == thread_id)
    gone = [str(run_id) for run_id in (await connection.execute(query)).scalars()]
    for table in (CHECKPOINTS, CHECKPOINT_WRITES):
        await connection.execute(delete(table).where(table.c.thread_id.in_(query)))
    await connection.execute(delete(THREADS).where(THREADS.c.id == thread_id))
    return gone


async def append_messages(
    connection: Transaction, thread_id: str, run_id: str, messages: Sequence[dict[str, Any]], now: datetime
) -> None:
    """Add messages to the end, all or none with the rest of the transaction."""
    if not messages:
        return
    grown = (
        update(THREADS)
        .where(THREADS.c.id == thread_id)
        .values(messages=THREADS.c.messages + len(messages), updated_at=now)
        .returning(THREADS.c.messages)
    )
    end = (await connection.execute(grown)).scalar_one()
    first = end - len(messages)
    rows = [
        {"thread_id": thread_id, "position": first + at, "run_id": run_id, "message": message, "created_at": now}
        for at, message in enumerate(messages)
    ]
    await connection.execute(insert(MESSAGES), rows)


async def list_messages(connection: Transaction, thread_id: str, position: int) -> list[dict[str, Any]]:
    """The messages from a position on."""
    query = (
        select(MESSAGES.c.message)
        .where(MESSAGES.c.thread_id == thread_id, MESSAGES.c.position >= position)
        .order_by(MESSAGES.c.position)
    )
    return [dict(message) for message in (await connection.execute(query)).scalars()]


async def get_summary(connection: Transaction, thread_id: str) -> tuple[str, int]:
    """The thread's summary, and how many of its oldest messages it stands for."""
    query = select(THREADS.c.summary, THREADS.c.summarised).where(THREADS.c.id == thread_id)
    row = (await connection.execute(query)).one()
    return row.summary, row.summarised


def update_summary(connection: Connection, thread_id: str, text: str, count: int) -> None:
    """Keep a summary that stands for the `count` oldest messages, unless a longer one is there."""
    longer = update(THREADS).where(THREADS.c.id == thread_id, THREADS.c.summarised < count)
    connection.execute(longer.values(summary=text, summarised=count))


async def list_history(
    connection: Transaction, viewer: Viewer, thread_id: str, limit: int, cursor: str | None
) -> Page[HistoryMessage]:
    """What was said, oldest first; raises `ThreadNotFound`."""
    await get_thread(connection, viewer, thread_id)
    query = select(MESSAGES).where(MESSAGES.c.thread_id == thread_id)
    if cursor is not None:
        query = query.where(MESSAGES.c.position > decode_cursor(cursor, int)[0])
    rows = (await connection.execute(query.order_by(MESSAGES.c.position).limit(limit + 1))).mappings().all()
    following = encode_cursor(rows[limit - 1]["position"]) if len(rows) > limit else None
    return Page[HistoryMessage](data=[_to_message(row) for row in rows[:limit]], next_cursor=following)


def to_thread(row: RowMapping) -> Thread:
    """A thread as the API shows it."""
    return Thread(
        id=row["id"],
        metadata=row["metadata"],
        messages=row["messages"],
        summarised=row["summarised"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _to_message(row: RowMapping) -> HistoryMessage:
    message = row["message"]
    calls = [ToolCall(id=one["id"], name=one["name"], arguments=one["arguments"]) for one in message.get("calls", ())]
    return HistoryMessage(
        position=row["position"],
        run_id=row["run_id"],
        role=message["role"],
        content=message["content"],
        tool_calls=calls or None,
        tool_call_id=message.get("call_id"),
        created_at=row["created_at"],
    )
