"""A run's events as callers see them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from sqlalchemy import RowMapping

from agent.tables import RUN_EVENTS
from contracts.agents.runs import RunEvent
from servicekit.jobs.notifier import Notifier
from servicekit.sql.database import Database


def to_event(row: RowMapping) -> RunEvent:
    """A row as the API shows it."""
    return RunEvent(**row)


async def list_events(database: Database, run_id: str, number: int) -> list[RunEvent]:
    """The next events after a number."""
    return [to_event(row) for row in await RUN_EVENTS.after(database, run_id, number)]


async def follow(
    database: Database,
    notifier: Notifier,
    run_id: str,
    number: int,
    quiet_seconds: float,
    ending: Callable[[], bool] = lambda: False,
) -> AsyncGenerator[RunEvent | None]:
    """Every event after a number, to the run's last; None when nothing came for `quiet_seconds`."""
    async with aclosing(RUN_EVENTS.follow(database, notifier, run_id, number, quiet_seconds, ending)) as rows:
        async for row in rows:
            yield None if row is None else to_event(row)
