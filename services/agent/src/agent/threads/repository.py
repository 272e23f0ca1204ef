"""Threads: conversations that last, and the messages of their ended runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    RowMapping,
    Text,
    and_,
    cast,
    delete,
    func,
    insert,
    literal,
    literal_column,
    select,
    update,
)

from agent.errors import ThreadNotFound
from agent.tables import CHECKPOINT_WRITES, CHECKPOINTS, MESSAGES, RUNS, THREADS
from contracts.access.delegation import Delegation
from contracts.agents.runs import HistoryMessage, Thread, ToolCall
from contracts.core.pages import Page
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.core.identifiers import new_id
from servicekit.sql.transaction import Transaction

PAGE_BYTES = 4_000_000
"""Of messages on a page of a history, which ends sooner for them; one message is always there."""
MESSAGE_BYTES = func.length(cast(MESSAGES.c.message, Text))
"""A message's bytes as JSON, in which all is ASCII."""


def _field(name: str) -> ColumnElement[Any]:
    """A field of a message, which both kinds of databases find without the others being loaded."""
    return MESSAGES.c.message.op("->", return_type=JSON())(literal_column(f"'{name}'")).label(name)


def _length(name: str) -> ColumnElement[int]:
    """Characters of a field of a message, found without it being loaded: a text's own, else those of its JSON."""
    found = MESSAGES.c.message.op("->>")(literal_column(f"'{name}'"))
    return func.coalesce(func.length(cast(found, Text)), 0)


_READ_BY_MODELS = tuple(_field(name) for name in ("role", "content", "calls", "call_id", "name"))


class MessageSize(NamedTuple):
    """How much a model would read of a message."""

    role: str
    chars: int


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks. A key that is limited to some collections or models sees only what it made itself."""

    tenant: str
    key_id: str
    limited: bool = False
    rights: Delegation | None = None
    """What its key may do; null means everything."""
    own_threads: bool = False
    """Whether it sees no threads but its own: a key that may only chat does, too."""

    @classmethod
    def of(cls, delegation: Delegation) -> Viewer:
        """The caller."""
        limited = delegation.collections is not None or delegation.models is not None
        own = limited or "agents" not in delegation.scopes
        return cls(delegation.tenant, delegation.key_id, limited, delegation, own)


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


async def get_thread(
    connection: Transaction, viewer: Viewer, thread_id: str, *, locked: bool = False, mine: bool = False
) -> RowMapping:
    """A thread's row, `locked` against others' changes to the end of the transaction, with `mine` only if the viewer's
    key made it; raises `ThreadNotFound`.
    """
    query = select(THREADS).where(THREADS.c.id == thread_id, seen_by(viewer, mine=mine))
    row = (await connection.execute(query.with_for_update() if locked else query)).mappings().one_or_none()
    if row is None:
        raise ThreadNotFound(thread_id)
    return row


def seen_by(viewer: Viewer, *, mine: bool = False) -> ColumnElement[bool]:
    """Which of `THREADS` somebody sees, with `mine` or a limited key those alone that its key made."""
    of_tenant = THREADS.c.tenant == viewer.tenant
    own = mine or viewer.limited or viewer.own_threads
    return and_(of_tenant, THREADS.c.key_id == viewer.key_id) if own else of_tenant


async def list_threads(
    connection: Transaction, viewer: Viewer, limit: int, cursor: str | None, *, mine: bool = False
) -> Page[Thread]:
    """The threads that somebody sees, or made, newest first."""
    query = select(THREADS).where(seen_by(viewer, mine=mine), THREADS.c.transient.is_(False))
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
        .values(
            messages=THREADS.c.messages + len(messages), revision=THREADS.c.revision + len(messages), updated_at=now
        )
        .returning(THREADS.c.messages)
    )
    end = (await connection.execute(grown)).scalar_one()
    first = end - len(messages)
    rows = [
        {"thread_id": thread_id, "position": first + at, "run_id": run_id, "message": message, "created_at": now}
        for at, message in enumerate(messages)
    ]
    await connection.execute(insert(MESSAGES), rows)


async def copy_thread(
    connection: Transaction, viewer: Viewer, source: RowMapping, count: int, now: datetime, *, summarised: int
) -> Thread:
    """A new thread with the `count` oldest messages of another one. Its summary goes along, unless it stands for more
    than `summarised` of them."""
    made = await create_thread(connection, viewer, {}, now)
    columns = (MESSAGES.c.position, MESSAGES.c.run_id, MESSAGES.c.message, MESSAGES.c.created_at)
    these = select(literal(made.id), *columns).where(MESSAGES.c.thread_id == source["id"], MESSAGES.c.position < count)
    await connection.execute(insert(MESSAGES).from_select(["thread_id", *columns], these))
    held: dict[str, Any] = {"messages": count, "revision": count}
    if source["summarised"] <= summarised:
        held |= {"summary": source["summary"], "summarised": source["summarised"]}
    copied = update(THREADS).where(THREADS.c.id == made.id).values(**held).returning(*THREADS.c)
    return to_thread((await connection.execute(copied)).mappings().one())


async def list_sizes(
    connection: Transaction, thread_id: str, position: int, limit: int | None = None
) -> list[MessageSize]:
    """How large the messages from a position on are, `limit` at most."""
    role = MESSAGES.c.message.op("->>", return_type=Text())(literal_column("'role'"))
    query = (
        select(role, _length("content") + _length("calls"))
        .where(MESSAGES.c.thread_id == thread_id, MESSAGES.c.position >= position)
        .order_by(MESSAGES.c.position)
        .limit(limit)
    )
    return [MessageSize(*row) for row in await connection.execute(query)]


async def list_messages(connection: Transaction, thread_id: str, first: int, count: int) -> list[dict[str, Any]]:
    """So many messages from a position on, with what models read of them alone. They may be of any length: look at
    their sizes before.
    """
    query = (
        select(*_READ_BY_MODELS)
        .where(MESSAGES.c.thread_id == thread_id, MESSAGES.c.position >= first)
        .order_by(MESSAGES.c.position)
        .limit(count)
    )
    rows = (await connection.execute(query)).mappings()
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


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
    connection: Transaction,
    viewer: Viewer,
    thread_id: str,
    limit: int,
    cursor: str | None,
    *,
    run_id: str | None = None,
) -> Page[HistoryMessage]:
    """What was said, in a run if one is named, oldest first, `limit` messages and `PAGE_BYTES` at most; raises
    `ThreadNotFound`."""
    await get_thread(connection, viewer, thread_id)
    these = MESSAGES.c.thread_id == thread_id
    if run_id is not None:
        these &= MESSAGES.c.run_id == run_id
    if cursor is not None:
        these &= MESSAGES.c.position > decode_cursor(cursor, int)[0]
    sizes = select(MESSAGES.c.position, MESSAGE_BYTES).where(these).order_by(MESSAGES.c.position).limit(limit + 1)
    found = (await connection.execute(sizes)).all()
    count = count_fitting([size for _, size in found[:limit]])
    if not count:
        return Page[HistoryMessage](data=[])
    last = found[count - 1][0]
    query = select(MESSAGES).where(these, MESSAGES.c.position <= last).order_by(MESSAGES.c.position)
    data = [_to_message(row) for row in (await connection.execute(query)).mappings()]
    return Page[HistoryMessage](data=data, next_cursor=encode_cursor(last) if len(found) > count else None)


def count_fitting(sizes: Sequence[int]) -> int:
    """How many of the first fit on a page, one at least."""
    room = PAGE_BYTES
    for count, size in enumerate(sizes):
        room -= size
        if room < 0:
            return max(count, 1)
    return len(sizes)


def to_thread(row: RowMapping) -> Thread:
    """A thread as the API shows it."""
    return Thread(
        id=row["id"],
        metadata=row["metadata"],
        messages=row["messages"],
        revision=row["revision"],
        summarised=row["summarised"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _to_message(row: RowMapping) -> HistoryMessage:
    message = row["message"]
    calls = [ToolCall(id=one["id"], name=one["name"], arguments=one["arguments"]) for one in message.get("calls", ())]
    return HistoryMessage(
        position=row["position"],
        run_id=row["run_id"] or None,
        role=message["role"],
        content=message["content"],
        tool_calls=calls or None,
        tool_call_id=message.get("call_id"),
        annotations=message.get("annotations"),
        groundwork=message.get("groundwork"),
        metadata=message.get("metadata"),
        created_at=row["created_at"],
    )
