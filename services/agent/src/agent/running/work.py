"""One run while it is worked on: its lease, its counters, and what it has to say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from agent import run_events
from agent.run_events import NewEvent
from agent.tables import RUNS
from contracts.agents import AgentDefinition
from servicekit.clock import Clock
from servicekit.leases import Lease, Leases
from servicekit.sql import Database

COUNTERS = ("steps", "tool_calls", "prompt_tokens", "completion_tokens", "model_calls", "cost_nano_usd")


@dataclass
class RunWork:
    """A claimed run. Every transaction of its carries the fence, and writes events and counters along."""

    database: Database
    leases: Leases
    length: timedelta
    clock: Clock
    lease: Lease
    row: dict[str, Any]
    definition: AgentDefinition
    ring: Callable[[], None]
    counters: dict[str, Any] = field(default_factory=dict)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process ends: the run goes back to the queue at the next step."""
    _outbox: list[NewEvent] = field(default_factory=list)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _doubtful: bool = False
    """Whether a transaction was broken off and may or may not have been committed."""
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.counters = {name: self.row[name] for name in COUNTERS}

    @property
    def id(self) -> str:
        """The run's id."""
        return self.lease.id

    @property
    def active_seconds(self) -> float:
        """Time at work, over all claims."""
        return float(self.row["active_seconds"]) + time.monotonic() - self._began

    @property
    def unsaid(self) -> bool:
        """Whether there are events that are not written yet."""
        return bool(self._outbox)

    def say(self, kind: str, data: dict[str, Any] | None = None, step: int | None = None) -> None:
        """An event that goes out with the next transaction. Text that follows text of the same step is joined."""
        content = data or {}
        last = self._outbox[-1] if self._outbox and not self._lock.locked() else None
        if kind == "token" and last is not None and last.type == "token" and last.step == step:
            last.data["text"] += content["text"]
        else:
            self._outbox.append(NewEvent(kind, content, step))

    @asynccontextmanager
    async def transaction(self, *, progress: bool = False) -> AsyncIterator[AsyncConnection]:
        """A transaction under the fence; raises `LeaseLost`. It also pushes the lease's expiry forward.

        `progress` says that the run got further with it, which forgives earlier tries and ends a wait.
        """
        async with self._lock:
            async with self.database.write() as connection:
                now = self.clock.now()
                said = list(self._outbox)
                if self._doubtful:
                    known = await self.leases.write(connection, self.lease, {"fence": self.lease.fence})
                    said = self._settle(known["last_event"])
                self._doubtful = True
                values = {
                    **self.counters,
                    "last_event": RUNS.c.last_event + len(said),
                    "active_seconds": self.active_seconds,
                    "lease_expires_at": now + self.length,
                    **({"strikes": 1, "waiting_since": None} if progress else {}),
                }
                row = await self.leases.write(connection, self.lease, values)
                await run_events.add(connection, self.id, row["last_event"], said, now)
                yield connection
            self._settle(row["last_event"])
            self._doubtful = False
        if said:
            self.ring()

    async def flush(self) -> None:
        """Write what there is to say."""
        if self._outbox:
            async with self.transaction():
                pass

    async def release(self, connection: AsyncConnection, values: dict[str, Any], events: list[NewEvent]) -> Any:
        """The last write under this lease, with the events that are left and these; the row afterwards."""
        row = await self.leases.write(connection, self.lease, {**self.counters, "active_seconds": self.active_seconds})
        said = [*self._settle(row["last_event"]), *events]
        if said:
            await self._add(connection, row["last_event"] + len(said), said)
        return await self.leases.release(connection, self.lease, values)

    def _settle(self, last: int) -> list[NewEvent]:
        """Drop events that were committed though their transaction was cancelled before it could say so."""
        committed = last - self.row["last_event"]
        del self._outbox[:committed]
        self.row["last_event"] = last
        return list(self._outbox)

    async def _add(self, connection: AsyncConnection, last: int, said: list[NewEvent]) -> None:
        await connection.execute(update(RUNS).where(self.leases.held(self.lease)).values(last_event=last))
        await run_events.add(connection, self.id, last, said, self.clock.now())
