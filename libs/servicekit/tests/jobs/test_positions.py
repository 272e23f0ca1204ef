"""Where a waiting job is in the queue, on SQLite, and how that is reckoned from the queue's state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import RowMapping
from tests.support.jobs.kind import CountingBench, empty_database
from tests.support.jobs.queue_conformance import Positions

from servicekit.core.clock import ManualClock
from servicekit.jobs.positions import RECENT, QueueState, _Tenant
from servicekit.sql.database import Database

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(seconds=9), NOW + timedelta(seconds=9)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with empty_database(None, tmp_path) as database:
        yield database


class TestPositions(Positions):
    """As on any database."""


def row(status: str = "queued", **more: Any) -> RowMapping:
    facts = {"id": "job", "tenant": "own", "status": status, "not_before": None, "waiting_on": None, "progress": 0.0}
    return cast("RowMapping", facts | more)


def state(own: _Tenant, *others: _Tenant, rank: int = 1, slots: int = 2, seconds: float | None = None) -> QueueState:
    tenants = {"own": own, **{f"other {number}": other for number, other in enumerate(others)}}
    return QueueState(NOW, slots, seconds, {"job": rank}, tenants)


@pytest.mark.parametrize(
    ("own", "others", "rank", "position"),
    [
        (_Tenant(3, 0, None), [], 2, 2),
        (_Tenant(3, 0, None), [_Tenant(0, 2, NOW)], 2, 2),
        (_Tenant(3, 0, None), [_Tenant(9, 0, None)], 2, 3),
        (_Tenant(3, 0, NOW), [_Tenant(9, 0, EARLIER)], 2, 4),
        (_Tenant(3, 0, EARLIER), [_Tenant(9, 0, NOW)], 2, 3),
        (_Tenant(3, 1, EARLIER), [_Tenant(9, 0, NOW)], 2, 4),
        (_Tenant(3, 0, NOW), [_Tenant(1, 0, None), _Tenant(9, 0, None), _Tenant(9, 1, None)], 3, 9),
    ],
)
def test_tenants_take_turns_so_that_others_count_for_one_job_each_turn(
    own: _Tenant, others: list[_Tenant], rank: int, position: int
) -> None:
    assert state(own, *others, rank=rank).position(row()) == position


@pytest.mark.parametrize("gone", [row("running"), row(id="claimed meanwhile"), row(tenant="claimed meanwhile")])
def test_a_job_that_waits_no_more_has_no_position(gone: RowMapping) -> None:
    assert state(_Tenant(1, 0, None)).position(gone) is None


IDLE, ALONE = _Tenant(1, 0, None), _Tenant(1, 2, NOW)


@pytest.mark.parametrize(
    ("queue", "job", "waits_on"),
    [
        (state(IDLE), row("running"), None),
        (state(IDLE), row(not_before=LATER, waiting_on="retriever"), "retriever"),
        (state(IDLE), row(not_before=LATER), "retry"),
        (state(IDLE), row(not_before=NOW, waiting_on="retriever"), "worker"),
        (state(IDLE, slots=0), row(), "worker"),
        (state(IDLE, rank=2), row(), "earlier_jobs"),
        (state(IDLE, _Tenant(0, 2, NOW)), row(), "slot"),
        (state(ALONE), row(), "slot"),
        (state(_Tenant(1, 1, NOW), _Tenant(1, 1, NOW)), row(), "tenant_share"),
        (state(_Tenant(1, 2, NOW), _Tenant(1, 0, None), slots=3), row(), "earlier_jobs"),
        (state(_Tenant(1, 1, NOW), _Tenant(1, 3, NOW), slots=4), row(), "slot"),
        (state(_Tenant(1, 0, NOW), *[_Tenant(1, 1, EARLIER)] * 3), row(), "slot"),
    ],
)
def test_a_waiting_job_is_told_the_nearest_reason_why(queue: QueueState, job: RowMapping, waits_on: str | None) -> None:
    assert queue.waiting_on(job) == waits_on


@pytest.mark.parametrize(
    ("queue", "job", "seconds"),
    [
        (state(IDLE, seconds=8.0), row("running", progress=0.75), 2.0),
        (state(IDLE, seconds=8.0), row(), 8.0),
        (state(_Tenant(3, 0, None), seconds=8.0, rank=3), row(), 16.0),
        (state(IDLE), row(), None),
        (state(IDLE, seconds=8.0, slots=0), row(), None),
        (state(IDLE, seconds=8.0), row("ready", progress=1.0), None),
    ],
)
def test_how_long_it_takes_is_reckoned_from_its_place_the_slots_and_its_progress(
    queue: QueueState, job: RowMapping, seconds: float | None
) -> None:
    assert queue.eta_seconds(job) == seconds


async def _state(bench: CountingBench, job_id: str) -> QueueState:
    job = cast("RowMapping", await bench.row(job_id))
    async with bench.database.read() as connection:
        return await bench.positions.read(connection, [job], bench.clock.now())


async def test_only_the_latest_jobs_that_ended_well_say_how_long_one_takes(database: Database) -> None:
    bench = CountingBench(database, ManualClock())
    live = await bench.add()
    assert (await _state(bench, live)).seconds is None
    now = bench.clock.now()

    async def ended(status: str, age: float, seconds: float) -> None:
        at = now - timedelta(seconds=age)
        await bench.add(status=status, started_at=at - timedelta(seconds=seconds), finished_at=at)

    await ended("ready", 9000, 500.0)
    await ended("failed", 1, 500.0)
    for number in range(RECENT):
        await ended("ready", 10 + number, 2.0 + number % 2 * 2)
    assert (await _state(bench, live)).seconds == pytest.approx(3.0)


async def test_nothing_is_asked_about_jobs_that_are_over(database: Database) -> None:
    bench = CountingBench(database, ManualClock())
    await bench.registry.announce("worker", 2, bench.clock.now())
    over = await bench.add(status="ready")
    await bench.add()
    assert await _state(bench, over) == QueueState(bench.clock.now())
