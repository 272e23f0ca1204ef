"""One run while it is worked on: its lease, its counters, and what it has to say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from agent.agents import definitions
from agent.runs import events as run_events
from agent.runs.events import NewEvent
from agent.tables import RUNS
from contracts.agents import AgentDefinition
from contracts.delegation import Spent
from servicekit.core.clock import Clock
from servicekit.jobs.leases import Lease, LeaseLost, Leases
from servicekit.sql.database import Database

COUNTERS = ("steps", "tool_calls", "prompt_tokens", "completion_tokens", "model_calls", "cost_nano_usd")
Change = Callable[[Connection], None]
"""What a transaction does beyond what each of a run's does."""


@dataclass
class RunWork:
    """A claimed run. Every transaction of its carries the fence, and writes events and counters along."""

    database: Database
    leases: Leases
    length: timedelta
    clock: Clock
    lease: Lease
    row: dict[str, Any]
    described: Any
    """The agent's definition as the database has it."""
    notify: Callable[[], None]
    max_seconds: float
    """The longest that it may be at work, whatever its agent says."""
    counters: dict[str, Any] = field(default_factory=dict)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process ends: the run goes back to the queue at the next step."""
    thought: int | None = None
    """The step that the model has just answered under this lease: nothing of it can have been done yet."""
    speaking: str = ""
    """What the model has said in its latest step under this lease, as callers see it."""
    _outbox: list[NewEvent] = field(default_factory=list)
    _enclosed: list[Change] = field(default_factory=list)
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

    @cached_property
    def definition(self) -> AgentDefinition:
        """The version of its agent that the run began with; raises `AgentNotFound` or `AgentUnreadable`.

        Read when it is needed, so that one that can't be read is the trouble of this run and of no other.
        """
        definition = definitions.parse_definition(self.described, self.row["agent"], self.row["agent_version"])
        seconds = min(definition.limits.seconds, self.max_seconds)
        return definition.model_copy(update={"limits": definition.limits.model_copy(update={"seconds": seconds})})

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
        if kind == "step.started":
            self.speaking = ""
        elif kind == "token":
            self.speaking += content["text"]
        last = self._outbox[-1] if self._outbox and not self._lock.locked() else None
        if kind == "token" and last is not None and last.type == "token" and last.step == step:
            last.data["text"] += content["text"]
        else:
            self._outbox.append(NewEvent(kind, content, step))

    def charged(self, spent: Spent) -> None:
        """Take what the ledger has of the run: it also knows calls that were cut off, that failed, or whose process was
        killed. Less than what was told step by step it can't be; then it is not the whole."""
        counters = self.counters
        told = counters["prompt_tokens"] + counters["completion_tokens"]
        if spent.prompt_tokens + spent.completion_tokens >= told:
            names = ("prompt_tokens", "completion_tokens", "model_calls", "cost_nano_usd")
            counters.update({name: getattr(spent, name) for name in names})

    def enclose(self, change: Change) -> None:
        """Something that goes out with the next transaction. It may be made twice, and must do no harm then."""
        self._enclosed.append(change)

    async def write(self, *changes: Change, progress: bool = False) -> None:
        """One transaction under the fence, with what was said and enclosed until now; raises `LeaseLost`.

        It also pushes the lease's expiry forward. `progress` says that the run got further with it, which forgives
        earlier tries and ends a wait.
        """
        async with self._lock:
            said, enclosed = list(self._outbox), list(self._enclosed)
            now, doubtful, known = self.clock.now(), self._doubtful, self.row["last_event"]
            values = {
                **self.counters,
                "active_seconds": self.active_seconds,
                "lease_expires_at": now + self.length,
                **({"strikes": 1, "waiting_since": None} if progress else {}),
            }
            self._doubtful = True

            def carry_out(connection: Connection) -> int:
                new = said[_written(connection, self.lease, {}, 0) - known :] if doubtful else said
                last = _written(connection, self.lease, values, len(new))
                run_events.add_now(connection, self.id, last, new, now)
                for change in (*enclosed, *changes):
                    change(connection)
                return last

            self._settle(await self.database.transact(carry_out))
            del self._enclosed[: len(enclosed)]
            self._doubtful = False
        if said:
            self.notify()

    async def flush(self) -> None:
        """Write what there is to say."""
        if self._outbox:
            await self.write()

    @asynccontextmanager
    async def written_every(self, seconds: float) -> AsyncIterator[None]:
        """Meanwhile what is said is written that often, whether or not anything else happens.

        A write that fails ends the block at once; its error is raised, `LeaseLost` for instance.
        """
        writing, over, limit = asyncio.Lock(), False, asyncio.timeout(None)

        async def keep_writing() -> None:
            while True:
                await asyncio.sleep(seconds)
                async with writing:
                    await self.flush()

        def end_the_block(failed: asyncio.Task[None]) -> None:
            if not failed.cancelled() and failed.exception() is not None and not over:
                limit.reschedule(0)  # a moment that has passed

        task = asyncio.create_task(keep_writing())
        task.add_done_callback(end_the_block)
        try:
            async with limit:
                try:
                    yield
                finally:
                    try:
                        async with writing:  # a transaction under way is not broken off, unless one can't wait for it
                            over = True
                    finally:
                        task.cancel()
        except TimeoutError:
            if not limit.expired():
                raise
        if task.done():
            task.result()

    async def release(self, connection: AsyncConnection, values: dict[str, Any], events: list[NewEvent]) -> Any:
        """The last write under this lease, with the events that are left and these; the row afterwards."""
        row = await self.leases.write(connection, self.lease, {**self.counters, "active_seconds": self.active_seconds})
        said = [*self._settle(row["last_event"]), *events]
        for change in self._enclosed:
            await connection.run_sync(change)
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


def _written(connection: Connection, lease: Lease, values: Mapping[str, Any], events: int) -> int:
    """Change the run's row under the fence, with room for so many events more; the number of the last one."""
    given = {f"new_{name}": value for name, value in values.items()}
    statement = _statement(tuple(values))
    last = connection.execute(statement, {**Leases.parameters(lease), **given, "events": events}).scalar_one_or_none()
    if last is None:
        raise LeaseLost(lease.id)
    return last


@lru_cache(maxsize=16)
def _statement(names: tuple[str, ...]) -> ReturningUpdate[int]:
    """Built once: building it takes as long as running it."""
    values: dict[str, Any] = {name: bindparam(f"new_{name}", type_=RUNS.c[name].type) for name in names}
    values["last_event"] = RUNS.c.last_event + bindparam("events", type_=Integer)
    held = Leases.held_by_parameters(RUNS)
    return update(RUNS).where(held).values(**values).returning(RUNS.c.last_event)
