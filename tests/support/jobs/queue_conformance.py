"""What the queue of the job machine promises, whatever the database: claims, turns, positions, cancels.

A test module inherits these tests and gives the fixture `database`, a database whose tables are empty.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select
from tests.support.jobs.kind import JOBS, TABLE, CountingBench, held_open

from servicekit.core.clock import ManualClock
from servicekit.jobs.cancellation import request_cancel, revoke
from servicekit.jobs.leases import LeaseLost
from servicekit.sql.database import Database

SECONDS = 60.0
"""Longest that a test waits for what must happen."""


class Claims:
    """Claiming, leases and fences."""

    async def test_each_job_goes_to_one_worker_and_each_step_is_done_once(self, database: Database) -> None:
        bench = CountingBench(database, ManualClock())
        jobs = [await bench.add() for _ in range(4)]
        claimed = await asyncio.gather(*(bench.queue.claim(f"worker-{number}") for number in range(4)))
        while len([job for job in claimed if job]) < 4:  # a row may be locked by another claim for a moment
            claimed.append(await bench.queue.claim("another"))
        assert sorted(job.id for job in claimed if job) == sorted(jobs)
        assert await bench.queue.claim("late") is None
        for job in claimed:
            if job is not None:
                await bench.runner.run(job, asyncio.Event())
        for job_id in jobs:
            assert await bench.effects(job_id) == [1, 2, 3]
            assert (await bench.row(job_id))["status"] == "ready"

    async def test_a_dead_workers_job_goes_on_from_its_last_step_and_the_dead_one_changes_nothing(
        self, database: Database
    ) -> None:
        clock, entered = ManualClock(), asyncio.Event()
        bench = CountingBench(database, clock, held_open(entered))
        job_id = await bench.add()
        dead = await bench.queue.claim("dead")
        assert dead is not None
        working = asyncio.create_task(bench.runner.run(dead, asyncio.Event()))
        await entered.wait()
        working.cancel()  # its process is gone: nothing is settled
        await asyncio.gather(working, return_exceptions=True)
        assert await bench.queue.claim("other") is None, "the lease still holds"
        clock.advance(31)
        other = CountingBench(database, clock)
        assert await other.work()
        row = await bench.row(job_id)
        assert (row["status"], row["attempts"], row["fence"]) == ("ready", 2, 2)
        assert await bench.effects(job_id) == [1, 2, 3]
        dead.emit("late")
        for write in (dead.write(values={"status": "queued"}), bench.queue.requeue(dead), bench.queue.renew(dead)):
            with pytest.raises(LeaseLost):
                await write
        assert await bench.row(job_id) == row
        assert [number for number, _ in await bench.events(job_id)] == [1, 2, 3, 4]

    async def test_a_heartbeat_keeps_a_lease(self, database: Database) -> None:
        clock = ManualClock()
        bench = CountingBench(database, clock)
        await bench.add()
        job = await bench.queue.claim("steady")
        assert job is not None
        for _ in range(3):
            clock.advance(20)
            assert await bench.queue.renew(job) is False
        assert await bench.queue.claim("other") is None

    async def test_work_is_stopped_when_its_lease_is_lost(self, database: Database) -> None:
        entered = asyncio.Event()
        bench = CountingBench(database, ManualClock(), held_open(entered), lease_seconds=0.3)
        job_id = await bench.add()
        job = await bench.queue.claim("slow")
        assert job is not None
        working = asyncio.create_task(bench.runner.run(job, asyncio.Event()))
        async with asyncio.timeout(SECONDS):
            await entered.wait()
            async with database.write() as connection:
                await revoke(connection, JOBS, TABLE.c.id == job_id, {"status": "cancelled"})
            await working
        assert (await bench.row(job_id))["status"] == "cancelled"
        assert await bench.effects(job_id) == [1]


class Turns:
    """The fair order, and shares of slots."""

    async def test_tenants_take_turns_however_many_jobs_one_has(self, database: Database) -> None:
        clock = ManualClock()
        bench = CountingBench(database, clock)
        for _ in range(10):
            await bench.add("busy")
        clock.advance(1)
        await bench.add("calm")
        served = []
        for _ in range(4):
            job = await bench.queue.claim("worker")
            assert job is not None
            served.append(job.tenant)
            clock.advance(0.01)
        assert served == ["busy", "calm", "busy", "busy"]

    async def test_with_one_slot_a_late_tenant_waits_for_one_job_and_not_for_all_that_came_before(
        self, database: Database
    ) -> None:
        clock = ManualClock()
        bench = CountingBench(database, clock)
        for _ in range(5):
            await bench.add("busy")
        assert await bench.work()
        clock.advance(1)
        late = await bench.add("calm")
        assert await bench.work()
        assert (await bench.row(late))["status"] == "ready"

    async def test_a_tenants_oldest_job_is_first_and_a_later_time_is_waited_for(self, database: Database) -> None:
        clock = ManualClock()
        bench = CountingBench(database, clock)
        later = await bench.add(not_before=clock.now() + timedelta(seconds=10))
        clock.advance(1)
        first = await bench.add()
        clock.advance(1)
        second = await bench.add()
        claimed = [await bench.queue.claim("worker") for _ in range(3)]
        assert [job and job.id for job in claimed] == [first, second, None]
        clock.advance(9)
        job = await bench.queue.claim("worker")
        assert job is not None
        assert job.id == later

    async def test_no_tenant_holds_more_than_its_share_of_a_workers_slots(self, database: Database) -> None:
        bench = CountingBench(database, ManualClock(), tenant_slots=2)
        for _ in range(3):
            await bench.add("busy")
        held = [await bench.queue.claim("worker") for _ in range(3)]
        assert [job is not None for job in held] == [True, True, False]
        await bench.add("calm")
        calm = await bench.queue.claim("worker")
        assert calm is not None
        assert calm.tenant == "calm"
        assert await bench.queue.claim("another worker") is not None

    async def test_a_tenant_with_two_slots_more_than_one_that_waits_gives_one_away(self, database: Database) -> None:
        clock = ManualClock()
        bench = CountingBench(database, clock)
        await bench.registry.announce("worker", 2, clock.now())
        for _ in range(2):
            await bench.add("busy")
        jobs = []
        for _ in range(2):
            job = await bench.queue.claim("worker")
            assert job is not None
            jobs.append(job)
            clock.advance(0.01)
        shares = bench.runner._shares
        assert shares is not None
        assert [await shares.must_give_way(job) for job in jobs] == [False, False]
        waiting = await bench.add("calm")
        async with database.read() as connection:
            row = (await connection.execute(select(TABLE).where(TABLE.c.id == waiting))).mappings().one()
            state = await bench.positions.read(connection, [row], clock.now())
        assert (state.position(row), state.waiting_on(row)) == (1, "slot")
        assert [await shares.must_give_way(job) for job in jobs] == [False, True], "the newest"
        jobs[1].give_way.set()
        await bench.runner.run(jobs[1], asyncio.Event())
        row = await bench.row(jobs[1].id)
        assert (row["status"], row["failed_attempts"]) == ("queued", 0)


class Positions:
    """What a waiting job is told of the queue."""

    async def test_waiting_jobs_tell_their_position_and_what_they_wait_for(self, database: Database) -> None:
        clock = ManualClock()
        bench = CountingBench(database, clock)
        own = [await bench.add("busy", queued_at=clock.now() + timedelta(seconds=number)) for number in range(3)]
        other = await bench.add("calm")

        async def shown(job_id: str) -> tuple[int | None, str | None]:
            async with database.read() as connection:
                row = (await connection.execute(select(TABLE).where(TABLE.c.id == job_id))).mappings().one()
                state = await bench.positions.read(connection, [row], clock.now())
            return state.position(row), state.waiting_on(row)

        assert (await shown(own[0]))[1] == "worker"
        await bench.registry.announce("worker", 2, clock.now())
        assert [await shown(job_id) for job_id in own[1:]] == [(3, "earlier_jobs"), (4, "earlier_jobs")]
        assert (await shown(other))[0] in (1, 2)
        clock.advance(31)
        assert (await shown(own[2]))[1] == "worker", "no worker lives"


class Cancels:
    """Cancelling by flag and at once."""

    async def test_a_flag_ends_a_running_job_at_once_where_its_worker_is_told(self, database: Database) -> None:
        entered = asyncio.Event()
        bench = CountingBench(database, ManualClock(), held_open(entered))
        job_id = await bench.add()
        working = asyncio.create_task(bench.work())
        async with asyncio.timeout(SECONDS):
            await entered.wait()
            async with database.write() as connection:
                assert await request_cancel(connection, JOBS, job_id) is not None
            bench.notifier.notify(job_id)
            await working
        assert (await bench.row(job_id))["status"] == "cancelled"
        assert [kind for _, kind in await bench.events(job_id)] == ["counted", "cancelled"]

    async def test_a_heartbeat_finds_a_flag_that_nobody_told_of(self, database: Database) -> None:
        entered = asyncio.Event()
        bench = CountingBench(database, ManualClock(), held_open(entered), lease_seconds=0.3)
        job_id = await bench.add()
        working = asyncio.create_task(bench.work())
        async with asyncio.timeout(SECONDS):
            await entered.wait()
            async with database.write() as connection:
                await request_cancel(connection, JOBS, job_id)
            await working
        assert (await bench.row(job_id))["status"] == "cancelled"

    async def test_a_cancel_that_was_accepted_ends_a_job_that_was_about_to_be_queued(self, database: Database) -> None:
        bench = CountingBench(database, ManualClock())
        job_id = await bench.add()
        job = await bench.queue.claim("worker")
        assert job is not None
        async with database.write() as connection:
            await request_cancel(connection, JOBS, job_id)
        await bench.queue.requeue(job, 30, "retriever")
        assert (await bench.row(job_id))["status"] == "cancelled"

    async def test_a_queued_job_has_no_worker_to_ask_and_ends_at_once(self, database: Database) -> None:
        bench = CountingBench(database, ManualClock())
        job_id = await bench.add()
        async with database.write() as connection:
            assert await request_cancel(connection, JOBS, job_id) is None
            ended = await revoke(connection, JOBS, TABLE.c.id == job_id, {"status": "cancelled"})
        assert [row["id"] for row in ended] == [job_id]
        assert await bench.queue.claim("worker") is None
