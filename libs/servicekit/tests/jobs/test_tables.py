"""Which rows of a table of jobs a worker may claim, and what a row keeps of whom the job is for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, MetaData, String, Table, insert, select
from tests.support.jobs.claim_plan import claim_plan
from tests.support.jobs.kind import JOBS, TABLE, CountingBench, empty_database, metadata

from servicekit.core.clock import ManualClock
from servicekit.jobs.tables import JobOwner, JobTable, job_columns
from servicekit.sql.database import Database
from servicekit.telemetry.trace_context import CURRENT, TraceContext

COLUMNS = TABLE.c
SECOND = timedelta(seconds=1)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with empty_database(None, tmp_path) as database:
        yield database


@pytest.mark.parametrize(
    ("facts", "due", "held"),
    [
        ({"status": "queued"}, True, False),
        ({"status": "queued", "not_before": 0}, True, False),
        ({"status": "queued", "not_before": 1}, False, False),
        ({"status": "running", "lease_expires_at": 1}, False, True),
        ({"status": "running", "lease_expires_at": 0}, False, True),
        ({"status": "running", "lease_expires_at": -1}, True, False),
        ({"status": "queued", "lease_expires_at": 1}, False, False),
        ({"status": "ready"}, False, False),
        ({"status": "failed", "lease_expires_at": 1}, False, False),
    ],
)
async def test_a_job_is_either_due_held_by_a_living_worker_or_neither(
    database: Database, clock: ManualClock, facts: dict[str, Any], due: bool, held: bool
) -> None:
    times = {name: clock.now() + value * SECOND for name, value in facts.items() if name != "status"}
    await CountingBench(database, clock).add(**facts | times)
    now = {"now": clock.now()}
    async with database.read() as connection:
        seen = (await connection.execute(select(JOBS.due(COLUMNS), JOBS.held(COLUMNS)), now)).one()
    assert tuple(map(bool, seen)) == (due, held)


async def test_a_kind_may_ask_for_more_before_a_job_is_due(database: Database, clock: ManualClock) -> None:
    await CountingBench(database, clock).add(steps=1)
    long = await CountingBench(database, clock).add(steps=9)
    choosy = replace(JOBS, condition=lambda columns: columns.steps > 5)
    async with database.read() as connection:
        due = select(COLUMNS.id).where(choosy.due(COLUMNS))
        assert list((await connection.execute(due, {"now": clock.now()})).scalars()) == [long]


def test_the_job_to_claim_is_found_by_indexes_however_many_have_ended() -> None:
    scans = [step for step in claim_plan(metadata, JOBS) if step.startswith("SCAN")]
    assert scans == ["SCAN due USING INDEX counts_live"]


async def test_a_new_row_has_what_a_claim_counts_with(database: Database, clock: ManualClock) -> None:
    table = Table("bare", MetaData(), *job_columns())
    row = {"id": "a", **JobOwner("acme", "key", "req", None).queued(clock.now()), "created_at": clock.now()}
    async with database.write() as connection:
        await connection.run(table.create)
        await connection.execute(insert(table).values(**row))
        got = (await connection.execute(select(table))).mappings().one()
    counted = ("failed_attempts", "attempts", "fence", "last_event", "cancel_requested")
    assert [got[name] for name in counted] == [0, 0, 0, 0, False]


def test_a_claim_that_was_no_attempt_is_taken_back_where_a_kind_counts_it() -> None:
    row = {"failed_attempts": 2, "attempts": 7}
    assert JOBS.uncounted(row) == {"failed_attempts": 1}
    assert replace(JOBS, attempts_are_claims=False).uncounted(row) == {"failed_attempts": 1, "attempts": 6}


def test_a_job_can_be_told_to_end_where_its_table_has_a_flag() -> None:
    plain = JobTable(Table("plain", MetaData(), Column("id", String(40), primary_key=True)))
    assert (JOBS.can_be_flagged, plain.can_be_flagged) == (True, False)


def test_a_job_keeps_for_whom_it_works_and_in_which_trace(clock: ManualClock) -> None:
    owner, trace = JobOwner("acme", "key-1", "req-1", "grant"), TraceContext.begin(sampled=True)
    before = CURRENT.set(trace)
    assert owner.queued(clock.now()) == {
        "status": "queued",
        "tenant": "acme",
        "request_id": "req-1",
        "traceparent": trace.header(),
        "grant_token": "grant",
        "grant_key_id": "key-1",
        "queued_at": clock.now(),
    }
    CURRENT.set(None)
    assert owner.queued(clock.now())["traceparent"] is None
    CURRENT.reset(before)
