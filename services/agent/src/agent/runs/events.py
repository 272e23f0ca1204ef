"""A run's events: SQL is their truth, in the order of their numbers, which count from 1 without gaps."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.ports import Notifier
from agent.tables import EVENTS, RUNS
from contracts.runs import FINAL_RUN_EVENTS, FINAL_RUN_STATUSES, RunEvent
from servicekit.sql.database import Database

AT_ONCE = 500
LOOK_SECONDS = 1.0
"""How long a follower waits without being woken before it looks again: Redis may be away."""
_ADD = insert(EVENTS)
_STATUS = select(RUNS.c.status).where(RUNS.c.id == bindparam("run"))


@dataclass(slots=True)
class NewEvent:
    """An event without its number."""

    type: str
    data: dict[str, Any] = field(default_factory=dict)
    step: int | None = None


async def add(connection: AsyncConnection, run_id: str, last: int, events: Sequence[NewEvent], now: datetime) -> None:
    """Write events that end with the number `last`, which the run's row has been raised to in this transaction."""
    await connection.run_sync(add_now, run_id, last, events, now)


def add_now(connection: Connection, run_id: str, last: int, events: Sequence[NewEvent], now: datetime) -> None:
    """The same where the transaction runs in its own thread."""
    first = last - len(events) + 1
    rows = [
        {"run_id": run_id, "id": first + at, "type": one.type, "step": one.step, "data": one.data, "created_at": now}
        for at, one in enumerate(events)
    ]
    if rows:
        connection.execute(_ADD, rows)


async def after(database: Database, run_id: str, number: int) -> list[RunEvent]:
    """The next events after a number, at most `AT_ONCE`."""
    query = select(EVENTS).where(EVENTS.c.run_id == run_id, EVENTS.c.id > number).order_by(EVENTS.c.id).limit(AT_ONCE)
    return [
        RunEvent(
            id=row["id"],
            type=row["type"],
            run_id=run_id,
            step=row["step"],
            data=row["data"],
            created_at=row["created_at"],
        )
        for row in await database.fetch(query)
    ]


async def follow(
    database: Database,
    notifier: Notifier,
    run_id: str,
    number: int,
    quiet_seconds: float,
    ending: Callable[[], bool] = lambda: False,
) -> AsyncGenerator[RunEvent | None]:
    """Every event after a number as it comes, to the run's last; None when nothing came for `quiet_seconds`.

    It can be on another replica than the run: a notifier only shortens the wait. It ends early once `ending` says so,
    when this process stops; whoever reads goes on at another one from the last number. It ends, too, where nothing can
    come any more: after the last number of a run that is over, that was deleted, or whose events were pruned.
    """
    silent, over = 0.0, False
    with notifier.subscribe(run_id) as subscription:
        while not ending():
            found = await after(database, run_id, number)
            for event in found:
                yield event
                number = event.id
                if event.type in FINAL_RUN_EVENTS:
                    return
            if found:
                silent = 0.0
                continue
            if over:
                return
            over = await _is_over(database, run_id)
            if over:
                continue  # what it said last may have been written since
            if not await subscription.wait(LOOK_SECONDS):
                silent += LOOK_SECONDS
            if silent >= quiet_seconds:
                silent = 0.0
                yield None


async def _is_over(database: Database, run_id: str) -> bool:
    """Whether a run says nothing more, since it has ended or is not there any more."""
    rows = await database.fetch(_STATUS, {"run": run_id})
    return not rows or rows[0]["status"] in FINAL_RUN_STATUSES
