"""What a kind of job has from the start: its steps, and how it decides, is logged and is traced."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert
from tests.support.jobs.kind import EFFECTS, CountingBench, empty_database
from tests.support.jobs.work_conformance import away

from servicekit.core.clock import ManualClock
from servicekit.jobs.kind import Done, run_steps
from servicekit.jobs.leased_job import LeasedJob
from servicekit.jobs.outcomes import Fail, Stopping, TryAgain, Wait
from servicekit.telemetry.trace_context import CURRENT, TraceContext

Step = Callable[[LeasedJob], Awaitable[Done]]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[CountingBench]:
    async with empty_database(None, tmp_path) as database:
        yield CountingBench(database, ManualClock())


async def _claimed(bench: CountingBench, **facts: object) -> LeasedJob:
    await bench.add(**facts)  # type: ignore[arg-type]
    job = await bench.queue.claim("worker")
    assert job is not None
    return job


def _step(number: int, *, stops: bool = False, breaks: bool = False) -> Step:
    async def step(job: LeasedJob) -> Done:
        if breaks:
            raise ZeroDivisionError
        if stops:
            job.stopping.set()

        def noted(connection: Connection) -> None:
            connection.execute(insert(EFFECTS).values(job_id=job.id, step=number, fence=job.lease.fence))

        return Done({"steps": 10 * number}, [noted])

    return step


async def test_steps_that_were_done_before_are_not_done_again(bench: CountingBench) -> None:
    job = await _claimed(bench, steps_done=2)
    await run_steps(job, [_step(1, breaks=True), _step(2, breaks=True), _step(3), _step(4)])
    assert await bench.effects(job.id) == [3, 4]
    await run_steps(job, [_step(number, breaks=True) for number in range(4)])
    row = await bench.row(job.id)
    assert (row["steps_done"], row["steps"]) == (4, 40), "with what the last step had to say of the row"


async def test_each_step_is_written_down_before_the_next_begins_and_one_that_breaks_is_not(
    bench: CountingBench,
) -> None:
    job = await _claimed(bench)
    with pytest.raises(ZeroDivisionError):
        await run_steps(job, [_step(1), _step(2, breaks=True), _step(3)])
    assert (await bench.effects(job.id), (await bench.row(job.id))["steps_done"]) == ([1], 1)


async def test_a_worker_that_ends_is_obeyed_between_two_steps(bench: CountingBench) -> None:
    job = await _claimed(bench)
    with pytest.raises(Stopping):
        await run_steps(job, [_step(1), _step(2, stops=True), _step(3, breaks=True)])
    assert await bench.effects(job.id) == [1, 2]


async def test_a_kind_may_count_its_steps_in_a_column_of_its_own(bench: CountingBench) -> None:
    job = await _claimed(bench, steps=1)

    async def step(job: LeasedJob) -> Done:
        return Done()

    await run_steps(job, [_step(1, breaks=True), step], "steps")
    row = await bench.row(job.id)
    assert (row["steps"], row["steps_done"]) == (2, 0)


async def test_without_an_opinion_a_kind_decides_by_its_policy(bench: CountingBench) -> None:
    job = await _claimed(bench)
    assert isinstance(bench.kind.decide(job, away()), Wait)
    assert isinstance(bench.kind.decide(job, ZeroDivisionError()), TryAgain)
    assert isinstance(bench.kind.decide(await _claimed(bench, failed_attempts=2), ZeroDivisionError()), Fail)
    assert [bench.kind.expects(error) for error in (away(), ZeroDivisionError())] == [True, False]


async def test_this_claim_is_not_among_those_that_were_in_vain(bench: CountingBench) -> None:
    assert bench.kind.tried(await _claimed(bench)) == 0
    given_up = bench.kind.give_up(await _claimed(bench, failed_attempts=3)).failure
    assert (given_up.code, given_up.retryable) == ("attempts_exhausted", True)
    assert "3 times" in given_up.message


async def test_an_attempt_is_logged_by_whose_it_is_and_traced_under_the_call_that_made_the_job(
    bench: CountingBench,
) -> None:
    trace = TraceContext.begin(sampled=False)
    before = CURRENT.set(trace)
    job = await _claimed(bench)
    CURRENT.set(None)
    with bench.kind.span(job):
        assert CURRENT.get() == trace
    assert bench.kind.log_fields(job) == {"job_id": job.id, "tenant": "acme", "request_id": "req", "attempt": 1}
    CURRENT.reset(before)
