"""LangGraph's checkpoints in our own database, written under the run's fence.

One saver for SQLite and PostgreSQL, over the same pool as the ledger. A checkpoint of a run commits in one transaction
with what the run has to say until then (its events and counters), and only while the run's lease is held.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from random import SystemRandom
from typing import Any, Protocol

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, insert, select

from agent.tables import CHECKPOINT_WRITES, CHECKPOINTS
from servicekit.sql.database import Database
from servicekit.sql.transaction import Transaction

KEPT = 2
"""Checkpoints of a run that stay: the newest, and the one before it, which the newest names as its parent."""
PRUNED_EVERY = 8
"""Checkpoints between two times at which older ones are dropped."""
_ADD = insert(CHECKPOINTS)
_RANDOM = SystemRandom()


Change = Callable[[Connection], None]


class Fenced(Protocol):
    """A run that is being worked on."""

    async def write(self, *changes: Change, progress: bool = False) -> None:
        """One transaction that also writes what the run has to say; raises `LeaseLost`."""
        ...


def strict_serializer() -> JsonPlusSerializer:
    """Reads plain values and a short list of safe types, whatever the environment says."""
    return JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None)


class SqlCheckpoints(BaseCheckpointSaver[str]):
    """A LangGraph checkpointer. Of runs that are attached only the newest checkpoints are kept."""

    def __init__(self, database: Database) -> None:
        super().__init__(serde=strict_serializer())
        self._database = database
        self._attached: dict[str, Fenced] = {}

    def attach(self, run_id: str, work: Fenced) -> None:
        """From now on checkpoints of this run are written with `work`."""
        self._attached[run_id] = work

    def detach(self, run_id: str) -> None:
        """The run is not worked on here any more."""
        self._attached.pop(run_id, None)

    def get_next_version(self, current: str | None, channel: None) -> str:
        """Versions that sort as text."""
        number = 0 if current is None else int(str(current).split(".")[0])
        return f"{number + 1:032}.{_RANDOM.random():016}"  # as LangGraph's own savers do

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that the config names, or the thread's newest."""
        async with self._database.read() as connection:
            return await self.read(connection, config)

    async def read(self, connection: Transaction, config: RunnableConfig) -> CheckpointTuple | None:
        """The same within a transaction."""
        thread_id, ns = _place(config)
        query = select(CHECKPOINTS).where(_of(CHECKPOINTS, thread_id, ns))
        if wanted := get_checkpoint_id(config):
            query = query.where(CHECKPOINTS.c.id == wanted)
        row = (await connection.execute(query.order_by(CHECKPOINTS.c.id.desc()).limit(1))).mappings().one_or_none()
        return None if row is None else await self._tuple(connection, row)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  # LangGraph's word
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Checkpoints, newest first."""
        query = select(CHECKPOINTS).order_by(CHECKPOINTS.c.id.desc())
        if config is not None:
            query = query.where(CHECKPOINTS.c.thread_id == config["configurable"]["thread_id"])
            if (ns := config["configurable"].get("checkpoint_ns")) is not None:
                query = query.where(CHECKPOINTS.c.ns == ns)
            if wanted := get_checkpoint_id(config):
                query = query.where(CHECKPOINTS.c.id == wanted)
        if before is not None and (earlier := get_checkpoint_id(before)):
            query = query.where(CHECKPOINTS.c.id < earlier)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
            fitting = [row for row in rows if _has(row["metadata"], filter)]
            found = [await self._tuple(connection, row) for row in fitting[:limit]]
        for one in found:
            yield one

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint; raises `LeaseLost` where the run belongs to another worker now."""
        thread_id, ns = _place(config)
        kind, content = self.serde.dumps_typed(checkpoint)
        row = {
            "thread_id": thread_id,
            "ns": ns,
            "id": checkpoint["id"],
            "parent_id": get_checkpoint_id(config),
            "kind": kind,
            "checkpoint": content,
            "metadata": dict(get_checkpoint_metadata(config, metadata)),
        }
        work = self._attached.get(thread_id)

        def keep(connection: Connection) -> None:
            if work is None:
                same = and_(_of(CHECKPOINTS, thread_id, ns), CHECKPOINTS.c.id == checkpoint["id"])
                connection.execute(delete(CHECKPOINTS).where(same))
            connection.execute(_ADD, row)
            if work is not None and metadata.get("step", 0) % PRUNED_EVERY == 0:
                _prune_older(connection, thread_id, ns)

        await (self._database.write(keep) if work is None else work.write(keep, progress=True))
        return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": checkpoint["id"]}}

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keep what a task wrote. Of an attached run only what must outlive it: interrupts and answers to them.

        The rest is in the checkpoint that follows, and a node that is run again finds its tool calls in the ledger.
        """
        thread_id, ns = _place(config)
        work = self._attached.get(thread_id)
        if work is not None and not any(channel in WRITES_IDX_MAP for channel, _ in writes):
            return
        about = {"thread_id": thread_id, "ns": ns, "checkpoint_id": config["configurable"]["checkpoint_id"]}
        rows = [self._write_row({**about, "task_id": task_id, "task_path": task_path}, at, *write)
                for at, write in enumerate(writes)]  # fmt: skip

        def keep(connection: Connection) -> None:
            for row in rows:
                _replace(connection, row, keep=row["number"] >= 0)

        await (self._database.write(keep) if work is None else work.write(keep))

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete a thread's checkpoints."""
        async with self._database.write() as connection:
            await self.delete_checkpoints(connection, thread_id)

    async def delete_checkpoints(self, connection: Transaction, thread_id: str) -> None:
        """The same within a transaction."""
        for table in (CHECKPOINTS, CHECKPOINT_WRITES):
            await connection.execute(delete(table).where(table.c.thread_id == thread_id))

    def _write_row(self, about: Mapping[str, Any], at: int, channel: str, value: Any) -> dict[str, Any]:
        kind, content = self.serde.dumps_typed(value)
        number = WRITES_IDX_MAP.get(channel, at)
        return {**about, "number": number, "channel": channel, "kind": kind, "value": content}

    async def _tuple(self, connection: Transaction, row: RowMapping) -> CheckpointTuple:
        columns = CHECKPOINT_WRITES.c
        query = (
            select(CHECKPOINT_WRITES)
            .where(_of(CHECKPOINT_WRITES, row["thread_id"], row["ns"]), columns.checkpoint_id == row["id"])
            .order_by(columns.task_path, columns.task_id, columns.number)
        )
        writes = (await connection.execute(query)).mappings().all()
        place = {"thread_id": row["thread_id"], "checkpoint_ns": row["ns"]}
        parent: RunnableConfig | None = None
        if row["parent_id"]:
            parent = {"configurable": {**place, "checkpoint_id": row["parent_id"]}}
        return CheckpointTuple(
            config={"configurable": {**place, "checkpoint_id": row["id"]}},
            checkpoint=self.serde.loads_typed((row["kind"], row["checkpoint"])),
            metadata=row["metadata"],
            parent_config=parent,
            pending_writes=[
                (one["task_id"], one["channel"], self.serde.loads_typed((one["kind"], one["value"]))) for one in writes
            ],
        )


def _replace(connection: Connection, row: Mapping[str, Any], *, keep: bool) -> None:
    """Write a row; with `keep`, one that is there already stays."""
    columns = CHECKPOINT_WRITES.c
    names = ("thread_id", "ns", "checkpoint_id", "task_id", "number")
    same = and_(*(columns[name] == row[name] for name in names))
    if keep:
        if connection.execute(select(columns.number).where(same)).first() is not None:
            return
    else:
        connection.execute(delete(CHECKPOINT_WRITES).where(same))
    connection.execute(insert(CHECKPOINT_WRITES).values(**row))


def _prune_older(connection: Connection, thread_id: str, ns: str) -> None:
    newest = (
        select(CHECKPOINTS.c.id).where(_of(CHECKPOINTS, thread_id, ns)).order_by(CHECKPOINTS.c.id.desc()).limit(KEPT)
    )
    for table, column in ((CHECKPOINTS, CHECKPOINTS.c.id), (CHECKPOINT_WRITES, CHECKPOINT_WRITES.c.checkpoint_id)):
        connection.execute(delete(table).where(_of(table, thread_id, ns), column.not_in(newest)))


def _of(table: Any, thread_id: str, ns: str) -> ColumnElement[bool]:
    return and_(table.c.thread_id == thread_id, table.c.ns == ns)


def _place(config: RunnableConfig) -> tuple[str, str]:
    return config["configurable"]["thread_id"], config["configurable"].get("checkpoint_ns", "")


def _has(metadata: Mapping[str, Any], wanted: Iterable[tuple[str, Any]] | Mapping[str, Any] | None) -> bool:
    return all(metadata.get(name) == value for name, value in dict(wanted or {}).items())
