"""What the job machine promises of work, whatever the database: outcomes, writes and events, the worker's loop.

A test module inherits these tests and gives the fixture `database`, a database whose tables are empty.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, update
from tests.support.jobs.kind import JOBS, TABLE, Counting, CountingBench, held_open

from contracts.core.errors import ErrorBody
from contracts.documents.documents import Failure
from servicekit.core.clock import ManualClock
from servicekit.core.errors import PeerError
from servicekit.jobs.leased_job import LeasedJob
from servicekit.jobs.outcomes import Yielding
from servicekit.jobs.worker import Chore, Worker
from servicekit.sql.database import Database

SECONDS = 60.0
"""Longest that a test waits for what must happen."""


def away(code: str = "retriever_unreachable", retry_after: float | None = None) -> PeerError:
    return PeerError(503, ErrorBody(type="overloaded", code=code, message="Away."), retry_after)


def raising(*errors: Exception) -> Counting:
    """A kind whose second step raises each of these in turn."""
    left = list(errors)

    async def step(_: LeasedJob, number: int) -> None:
        if number == 2 and left:
            raise left.pop(0)

    return Counting(step)


class Outcomes:
    """Waiting, trying again, failing, going back to the queue."""

    async def test_a_service_that_is_away_costs_no_attempt_and_is_named(self, database: Database) -> None:
        clock = ManualClock()
        bench = CountingBench(database, clock, raising(*(away() for _ in range(6))))
        job_id = await bench.add()
        for _ in range(6):
            assert await bench.work()
            row = await bench.row(job_id)
            assert (row["status"], row["waiting_on"], row["failed_attempts"]) == ("queued", "retriever", 0)
            clock.advance(31)
        assert await bench.work()
        assert ((await bench.row(job_id))["status"], await bench.effects(job_id)) == ("ready", [1, 2, 3])

    async def test_a_service_that_stays_away_fails_the_job_in_the_end(self, database: Database) -> None:
        clock = ManualClock()
        bench = CountingBench(database, clock, raising(away(), away()))
        job_id = await bench.add()
        await bench.work()
        clock.advance(3700)
        await bench.work()
        row = await bench.row(job_id)
        assert (row["status"], row["error"]["code"]) == ("failed", "retriever_unreachable")

    async def test_a_job_that_gets_no_further_is_tried_ever_later_and_fails_after_its_attempts(
        self, database: Database
    ) -> None:
        clock = ManualClock()
        bench = CountingBench(database, clock, raising(*(RuntimeError("a bug") for _ in range(9))))
        job_id = await bench.add()
        pauses = []
        while (row := await bench.row(job_id))["status"] != "failed":
            if row["waiting_on"] == "retry":
                pauses.append((row["not_before"] - clock.now()).total_seconds())
                assert await bench.queue.claim("early") is None
            clock.advance(400)
            assert await bench.work()
        assert pauses == [2.0, 4.0]
        assert row["error"]["code"] == "attempts_exhausted"
        assert [kind for _, kind in await bench.events(job_id)] == ["counted", "failed"]

    async def test_progress_forgives_earlier_attempts(self, database: Database) -> None:
        clock = ManualClock()
        bench = CountingBench(database, clock, raising(RuntimeError(), RuntimeError()))
        job_id = await bench.add()
        for _ in range(2):
            await bench.work()
            clock.advance(400)
        assert (await bench.row(job_id))["failed_attempts"] == 2
        job = await bench.queue.claim("worker")
        assert job is not None
        await job.write(progress=True)
        assert job.failed_attempts == (await bench.row(job_id))["failed_attempts"] == 1

    async def test_a_job_whose_workers_die_without_a_word_fails_after_its_attempts(self, database: Database) -> None:
        clock = ManualClock()
        bench = CountingBench(database, clock)
        job_id = await bench.add()
        for _ in range(3):
            assert await bench.queue.claim("doomed") is not None
            clock.advance(31)
        assert await bench.work()
        row = await bench.row(job_id)
        assert (row["status"], row["error"]["code"]) == ("failed", "attempts_exhausted")

    async def test_what_can_not_succeed_fails_at_once_with_its_reason(self, database: Database) -> None:
        wrong = PeerError(422, ErrorBody(type="invalid_request", code="too_deep", message="Too deep."))
        bench = CountingBench(database, ManualClock(), raising(wrong))
        job_id = await bench.add()
        await bench.work()
        row = await bench.row(job_id)
        assert Failure.model_validate(row["error"]) == Failure(code="too_deep", message="Too deep.")
        assert row["lease_owner"] is None

    async def test_a_stopping_workers_job_goes_back_at_its_next_step_and_no_attempt_is_counted(
        self, database: Database
    ) -> None:
        stopping = asyncio.Event()

        async def step(_: LeasedJob, number: int) -> None:
            if number == 2:
                stopping.set()

        bench = CountingBench(database, ManualClock(), Counting(step))
        bench.stopping = stopping
        job_id = await bench.add()
        await bench.work()
        row = await bench.row(job_id)
        assert (row["status"], row["failed_attempts"], row["lease_owner"]) == ("queued", 0, None)
        assert await bench.effects(job_id) == [1, 2]
        bench.stopping = asyncio.Event()
        await bench.work()
        assert await bench.effects(job_id) == [1, 2, 3]

    async def test_a_job_that_yields_goes_behind_those_that_wait(self, database: Database) -> None:
        clock = ManualClock()
        bench = CountingBench(database, clock, raising(Yielding()))
        long = await bench.add()
        clock.advance(1)
        short = await bench.add()
        clock.advance(1)
        await bench.work()
        job = await bench.queue.claim("worker")
        assert job is not None
        assert (job.id, (await bench.row(long))["status"]) == (short, "queued")
        assert await job.others_wait()


class Writes:
    """Transactions of a leased job, and its events."""

    async def test_events_count_from_one_without_gaps_and_end_with_the_job(self, database: Database) -> None:
        bench = CountingBench(database, ManualClock())
        job_id = await bench.add()
        followed: list[tuple[int, str]] = []

        async def follow() -> None:
            assert JOBS.events is not None
            events = JOBS.events.follow(database, bench.notifier, job_id, 0, 60.0)
            followed.extend([(event["id"], event["type"]) async for event in events if event is not None])

        following = asyncio.create_task(follow())
        await bench.work()
        async with asyncio.timeout(SECONDS):
            await following
        assert followed == [(1, "counted"), (2, "counted"), (3, "counted"), (4, "done")]

    async def test_a_transaction_that_fails_leaves_its_events_for_the_next(self, database: Database) -> None:
        bench = CountingBench(database, ManualClock())
        job_id = await bench.add()
        job = await bench.queue.claim("worker")
        assert job is not None
        job.emit("said")

        def broken(_: Connection) -> None:
            raise OSError("no disk")

        with pytest.raises(OSError, match="no disk"):
            await job.write(broken)
        assert await bench.events(job_id) == []
        await job.write()
        await job.write()
        assert await bench.events(job_id) == [(1, "said")]

    async def test_a_transaction_that_was_cut_off_doubles_and_loses_no_event(self, database: Database) -> None:
        bench = CountingBench(database, ManualClock())
        job_id = await bench.add()
        job = await bench.queue.claim("worker")
        assert job is not None
        for number in range(8):
            job.emit("said", {"number": number})
            writing = asyncio.create_task(job.write())
            for _ in range(number):
                await asyncio.sleep(0)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        await job.flush()
        assert [number for number, _ in await bench.events(job_id)] == list(range(1, 9))
        assert JOBS.events is not None
        assert [row["data"]["number"] for row in await JOBS.events.after(database, job_id, 0)] == list(range(8))


class Workers:
    """The loop around it all."""

    async def test_a_worker_does_all_jobs_when_woken_does_its_chores_and_drains(self, database: Database) -> None:
        entered, done = asyncio.Event(), list[int]()
        bench = CountingBench(database, ManualClock())

        async def chore() -> None:
            done.append(1)

        worker = Worker(bench.runner, "worker", 2, poll_seconds=60, chores=[Chore(60, chore)])
        working = asyncio.create_task(worker.run(0.05))
        jobs = [await bench.add() for _ in range(5)]
        async with asyncio.timeout(SECONDS):
            await bench.ready(*jobs)
        bench.kind.step = held_open(entered).step
        last = await bench.add()
        async with asyncio.timeout(SECONDS):
            await entered.wait()
            await worker.probe()
            worker.stop()
            await working
        row = await bench.row(last)
        assert (row["status"], row["lease_owner"], row["failed_attempts"]) == ("queued", None, 0)
        assert done == [1]

    async def test_a_worker_goes_on_whatever_goes_wrong_with_a_look(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench = CountingBench(database, ManualClock())
        original, wrong = bench.queue.claim, [RuntimeError("a bug"), OSError("no disk")]

        async def claim(owner: str) -> Any:
            if wrong:
                raise wrong.pop()
            return await original(owner)

        monkeypatch.setattr(bench.queue, "claim", claim)
        worker = Worker(bench.runner, "worker", 2, poll_seconds=0.02)
        working = asyncio.create_task(worker.run(0.05))
        job_id = await bench.add()
        async with asyncio.timeout(SECONDS):
            await bench.ready(job_id)
        worker.stop()
        await working

    async def test_a_job_that_was_changed_by_nobody_is_not_written_by_an_idle_worker(self, database: Database) -> None:
        clock = ManualClock()
        bench = CountingBench(database, clock)
        job_id = await bench.add(not_before=clock.now() + timedelta(hours=1))
        before = await bench.row(job_id)
        for _ in range(3):
            assert await bench.queue.claim("idle") is None
        assert await bench.row(job_id) == before
        async with database.write() as connection:
            await connection.execute(update(TABLE).values(status="ready"))
