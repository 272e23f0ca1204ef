from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from services.agent.tests.payments import Till, killed_in_the_middle, pay
from services.agent.tests.runs_bench import PRINCIPAL, Bench, bench
from sqlalchemy import Connection, and_, select, update

from agent.errors import AgentUnreadable
from agent.runs import events as run_events
from agent.settings import AgentSettings
from agent.tables import RUNS, VERSIONS
from agent.testing.fixed_tokens import FixedTokens
from agent.threads.messages import UNKNOWN
from agent.tools.tool import Repeat
from contracts.access.delegation import Spent
from contracts.agents.runs import Run
from servicekit.core.clock import ManualClock
from servicekit.core.errors import Forbidden, UpstreamFailed
from servicekit.jobs.outcomes import Cancel
from servicekit.jobs.worker import run_worker
from servicekit.sql.database import Database, rows_of


async def test_events_count_without_gaps_and_end_with_the_run(database: Database) -> None:
    one = bench(database, pay(3), "Paid it is.", tools={"pay": Till()})
    await one.define()
    run = await one.run()
    events = await one.events(run)
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    kinds = [event.type for event in events]
    assert kinds[:3] == ["run.queued", "run.started", "step.started"]
    assert kinds[-1] == "run.completed"
    assert {"token", "tool_call", "tool_result", "usage"} <= set(kinds)
    said = "".join(event.data["text"] for event in events if event.type == "token" and event.step == 2)
    assert said == run.output == "Paid it is."
    assert await one.events(run, after=len(events) - 1) == events[-1:]


async def test_a_run_is_told_for_its_record_as_it_ended_where_that_is_wanted(database: Database) -> None:
    one = bench(database, "Hello.")
    await one.define()
    await one.run()
    await one.agents.recorder.all_sent()
    assert one.tokens.recorded == []
    one.tokens.records = True
    run = await one.run("Greet.")
    await one.agents.recorder.all_sent()
    ((grant, told, sources),) = one.tokens.recorded
    assert (grant, told, sources) == (PRINCIPAL.grant, run, []), "with its output, counters and times"
    assert (run.status, run.output) == ("completed", "Hello.")
    one.tokens.failure = Forbidden("The key was revoked.")
    refused = await one.run()
    await one.agents.recorder.all_sent()
    assert refused.status in ("completed", "failed"), "what can't be recorded has ended all the same"
    assert one.tokens.recorded == [(grant, told, sources)]


async def test_a_run_is_told_also_where_the_gateway_did_not_say_whether_that_is_wanted(database: Database) -> None:
    class Silent(FixedTokens):
        async def spent(self, grant: str, call_id: str) -> Spent:
            raise UpstreamFailed("The gateway is away.")

    one = bench(database, "Hello.", tokens=Silent())
    await one.define()
    run = await one.run()
    await one.agents.recorder.all_sent()
    assert [told for _, told, _ in one.tokens.recorded] == [run]


async def test_what_a_broken_off_transaction_has_committed_is_not_said_again(database: Database) -> None:
    one = bench(database, "Hello.")
    await one.define()
    run = await one.start()
    work = await one.queue.claim("first")
    assert work is not None
    for repeat in range(3):
        under_way, may_end = threading.Event(), threading.Event()

        def held(_: Connection, under_way: threading.Event = under_way, may_end: threading.Event = may_end) -> None:
            under_way.set()
            assert may_end.wait(60)

        work.emit("token", {"text": f"{repeat} "}, repeat)
        task = asyncio.create_task(work.write(held))
        await asyncio.to_thread(under_way.wait, 20)
        task.cancel()
        work.emit("usage", {"number": repeat}, repeat)
        asyncio.get_running_loop().call_later(0.01, may_end.set)
        with pytest.raises(asyncio.CancelledError):
            await task
    await work.write()
    told = [(event.id, event.type, event.step) for event in await one.events(run)]
    expected = [("token", 0), ("usage", 0), ("token", 1), ("usage", 1), ("token", 2), ("usage", 2)]
    assert told[2:] == [(3 + at, *each) for at, each in enumerate(expected)]


async def test_a_process_that_was_thought_dead_changes_nothing_any_more(database: Database) -> None:
    clock, till = ManualClock(), Till("safe", held=True)
    first = bench(database, pay(5), "From the dead.", tools={"pay": till}, clock=clock)
    await first.define()
    run = await first.start()
    work = await first.queue.claim("first")
    assert work is not None
    task = asyncio.create_task(first.runner.run(work, first.stopping))
    await till.begun.wait()
    clock.advance(31)
    till.held = False
    second = bench(database, pay(5), "From the living.", tools={"pay": till}, clock=clock)
    await second.work()
    first.agents.notifier.notify(run.id)
    before = await second.events(run)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    with pytest.raises(Exception, match="run_"):
        await work.write()
    ended = await second.shown(run)
    assert (ended.status, ended.output) == ("completed", "From the living.")
    assert await second.events(run) == before


async def test_a_run_that_ends_every_process_that_works_on_it_is_failed_after_some(database: Database) -> None:
    till = Till("safe", held=True)
    one = bench(database, pay(1), "Done.", tools={"pay": till})
    await one.define()
    run = await one.start()
    died = 0
    while (await one.shown(run)).status != "failed":
        till.begun.clear()
        till.held = True
        await killed_in_the_middle(one, till)
        died += 1
        one.clock.advance(100)
        if died >= one.execution.settings.run_attempts:
            await one.work()
        assert died <= one.execution.settings.run_attempts + 1, "it goes on for ever"
    failed = await one.shown(run)
    assert failed.error is not None
    assert failed.error.code == "attempts_exhausted"
    history = await one.history(run.thread_id)
    assert [said.role for said in history] == ["user", "assistant", "tool"]


async def test_a_stopping_process_gives_runs_back_between_two_steps(database: Database) -> None:
    till = Till()
    one = bench(database, pay(1), "Done.", tools={"pay": till})
    await one.define()
    run = await one.start()
    one.stopping.set()
    await one.work()
    assert (await one.shown(run)).status == "queued"
    one.stopping.clear()
    await one.work()
    ended = await one.shown(run)
    assert ended.status == "completed"
    assert till.paid == ["1"]


async def test_a_run_keeps_the_version_that_it_began_with(database: Database) -> None:
    one = bench(database, "Hello.")
    await one.define(instructions="Be brief.")
    run = await one.start()
    await one.define(instructions="Be wordy.")
    await one.work()
    assert (await one.shown(run)).agent_version == 1
    assert "Be brief." in str(one.model.requests[0].messages[0].content)
    assert (await one.run()).agent_version == 2


async def test_of_two_processes_one_gets_a_run(database: Database) -> None:
    clock = ManualClock()
    one, two = bench(database, "Hello.", clock=clock), bench(database, "Hello.", clock=clock)
    await one.define()
    started = [await one.start() for _ in range(4)]
    claims = await asyncio.gather(*(each.queue.claim(name) for each in (one, two) for name in "abcd"))
    taken = [claim.id for claim in claims if claim is not None]
    assert sorted(taken) == sorted(run.id for run in started)


DEADLINE = 60.0
QUICK = AgentSettings(run_lease_seconds=30, run_poll_seconds=0.02, drain_seconds=0.05)


async def _until_over(one: Bench, run: Run) -> Run:
    async with asyncio.timeout(DEADLINE):
        async for _ in run_events.follow(one.database, one.agents.notifier, run.id, 0, 60):
            pass
    return await one.shown(run)


async def _rewrite(database: Database, name: str, **fields: Any) -> None:
    """The first version of an agent, as another release may have written it."""
    this = and_(VERSIONS.c.name == name, VERSIONS.c.version == 1)
    async with database.write() as connection:
        definition = (await connection.execute(select(VERSIONS.c.definition).where(this))).scalar_one()
        await connection.execute(update(VERSIONS).where(this).values(definition={**definition, **fields}))


async def test_an_agent_that_cannot_be_read_keeps_no_other_run_from_being_worked_on(database: Database) -> None:
    one = bench(database, "Hello.", settings=QUICK)
    await one.define("newer")
    await one.define()
    bad = await one.start(agent="newer")
    await _rewrite(database, "newer", invented_tomorrow=True)
    async with run_worker(one.agents.worker, one.settings.drain_seconds):
        assert (await _until_over(one, await one.start())).status == "completed"
    waiting = await one.shown(bad)
    assert (waiting.status, waiting.waiting_on) == ("queued", "retry")


async def test_a_run_whose_agent_cannot_be_read_is_failed_after_some_tries_with_the_reason(database: Database) -> None:
    one = bench(database, "Hello.")
    await one.define()
    run = await one.start()
    await _rewrite(database, "helper", invented_tomorrow=True)
    for _ in range(one.settings.run_attempts):
        assert await one.work()
        one.clock.advance(100)
    failed = await one.shown(run)
    assert (failed.status, failed.attempts) == ("failed", one.settings.run_attempts)
    assert failed.error is not None
    assert failed.error.code == "agent_unreadable"
    assert "invented_tomorrow" in failed.error.message
    with pytest.raises(AgentUnreadable):
        await one.start()
    await one.define(instructions="Be brief.")  # saved again, it can be run
    assert (await one.run(thread=run.thread_id)).status == "completed"


async def test_a_replica_that_can_read_the_agent_takes_the_run_over(database: Database) -> None:
    one = bench(database, "Hello.")
    await one.define()
    run = await one.start()
    await _rewrite(database, "helper", temperature="warm")
    assert await one.work()
    await _rewrite(database, "helper", temperature=0.5)  # what this release can read is what the other one could
    one.clock.advance(100)
    assert await one.work()
    assert (await one.shown(run)).status == "completed"


async def test_the_loop_goes_on_whatever_goes_wrong_with_a_look(database: Database) -> None:
    one = bench(database, "Hello.", settings=QUICK)
    await one.define()
    run = await one.start()

    @asynccontextmanager
    async def wrong_once() -> AsyncIterator[Any]:
        del database.write  # type: ignore[attr-defined]
        raise RuntimeError("a bug")
        yield

    database.write = wrong_once  # type: ignore[method-assign]
    async with run_worker(one.agents.worker, one.settings.drain_seconds):
        assert (await _until_over(one, run)).status == "completed"


async def test_a_step_that_does_not_end_in_time_goes_back_to_the_queue_with_its_process(database: Database) -> None:
    one = bench(database, "Hello.", settings=QUICK)
    await one.define()
    run = await one.start()
    asked = asyncio.Event()

    async def held(_: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    one.model.before = held
    async with asyncio.timeout(DEADLINE), run_worker(one.agents.worker, one.settings.drain_seconds):
        await asked.wait()
    row = dict((await database.read(rows_of(select(RUNS))))[0])
    assert (row["status"], row["lease_owner"], row["strikes"]) == ("queued", None, 0)
    other = bench(database, "Hello.", clock=one.clock)  # at once: no lease has to end first
    assert await other.work()
    assert (await other.shown(run)).status == "completed"


@pytest.mark.parametrize(("repeat", "times"), [("key", 2), ("safe", 2), ("never", 1)])
async def test_a_call_that_the_end_of_its_process_cut_off_is_made_again_only_where_that_does_no_harm(
    database: Database, repeat: Repeat, times: int
) -> None:
    till = Till(repeat, held=True)
    one = bench(database, pay(5), "Done.", tools={"pay": till}, settings=QUICK)
    await one.define()
    run = await one.start()
    async with asyncio.timeout(DEADLINE), run_worker(one.agents.worker, one.settings.drain_seconds):
        await till.begun.wait()
    till.held = False
    assert (await one.shown(run)).status == "queued"
    other = bench(database, pay(5), "Done.", tools={"pay": till}, clock=one.clock)
    assert await other.work()
    assert (await other.shown(run)).status == "completed"
    assert till.paid == ["5"] * times
    result = next(one for one in await other.history(run.thread_id) if one.role == "tool")
    assert result.content == (UNKNOWN if repeat == "never" else "paid 5")


async def test_a_run_that_is_cancelled_while_its_process_ends_is_cancelled(database: Database) -> None:
    till = Till(held=True)
    one = bench(database, pay(5), tools={"pay": till}, settings=QUICK)
    await one.define()
    run = await one.start()
    deaf = bench(database, "Hello.", clock=one.clock)  # another replica, whose bells do not reach this one
    async with asyncio.timeout(DEADLINE), run_worker(one.agents.worker, one.settings.drain_seconds):
        await till.begun.wait()
        assert (await deaf.cancel(run)).status == "running"
    assert (await one.shown(run)).status == "cancelled"


async def test_no_tenant_holds_all_slots_however_long_its_runs_last(database: Database) -> None:
    one = bench(database, "Hello.", settings=AgentSettings(run_slots=4))
    await one.define()
    for _ in range(6):
        await one.start()
    held = [await one.queue.claim("bench") for _ in range(4)]
    assert [work is not None for work in held] == [True, True, True, False]
    other = await one.start_for("beta")
    claimed = await one.queue.claim("bench")
    assert claimed is not None
    assert claimed.id == other.id
    assert await one.queue.claim("bench") is None
    assert await one.queue.claim("another replica") is not None, "which has slots of its own"
    assert held[0] is not None
    await one.execution.end(held[0], Cancel())
    assert await one.queue.claim("bench") is not None
