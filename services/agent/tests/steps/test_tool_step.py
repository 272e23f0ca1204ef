from __future__ import annotations

import asyncio

import pytest
from services.agent.tests.payments import Till, killed_in_the_middle, pay
from services.agent.tests.runs_bench import bench
from sqlalchemy import select

from agent.tables import TOOL_CALLS
from agent.testing.scripted_agents import Turn
from agent.threads.messages import UNKNOWN
from agent.tools.tool import Repeat, ToolFailed
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database, rows_of


@pytest.mark.parametrize(("repeat", "times"), [("key", 2), ("safe", 2), ("never", 1)])
async def test_a_call_that_was_cut_off_is_made_again_only_where_that_does_no_harm(
    database: Database, repeat: Repeat, times: int
) -> None:
    clock, till = ManualClock(), Till(repeat, held=True)
    first = bench(database, pay(5), "Done.", tools={"pay": till}, clock=clock)
    await first.define()
    run = await first.start()
    await killed_in_the_middle(first, till)
    second = bench(database, pay(5), "Done.", tools={"pay": till}, clock=clock)
    assert await second.work()
    ended = await second.shown(run)
    assert (ended.status, ended.attempts) == ("completed", 2)
    assert till.paid == ["5"] * times
    assert len(set(till.keys)) == 1
    result = next(one for one in await second.history(run.thread_id) if one.role == "tool")
    assert result.content == (UNKNOWN if repeat == "never" else "paid 5")
    assert len(second.model.requests) == 1  # the first answer was in the checkpoint


async def test_a_finished_call_is_not_made_again_when_its_step_is(database: Database) -> None:
    clock, quick, slow = ManualClock(), Till(name="quick"), Till("safe", held=True)
    turn = Turn("", [("quick", {"amount": 1}), ("pay", {"amount": 2})])
    tools = {"quick": quick, "pay": slow}
    first = bench(database, turn, "Done.", tools=tools, clock=clock)
    await first.define()
    run = await first.start()
    await killed_in_the_middle(first, slow)
    second = bench(database, turn, "Done.", tools=tools, clock=clock)
    await second.work()
    assert (await second.shown(run)).status == "completed"
    assert (quick.paid, slow.paid) == (["1"], ["2", "2"])


async def test_a_call_that_changes_nothing_is_in_the_ledger_once_however_late_its_process_died(
    database: Database,
) -> None:
    clock, till = ManualClock(), Till("safe")
    first = bench(database, pay(5), "Done.", tools={"pay": till}, clock=clock)
    await first.define()
    run = await first.start()
    work = await first.queue.claim("first")
    assert work is not None
    task = asyncio.create_task(first.runner.run(work, first.stopping))
    await till.begun.wait()  # the call has ended by now, and nothing of it is written down yet
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    clock.advance(31)
    second = bench(database, pay(5), "Done.", tools={"pay": till}, clock=clock)
    assert await second.work()
    assert (await second.shown(run)).status == "completed"
    assert till.paid == ["5", "5"]
    rows = await database.read(rows_of(select(TOOL_CALLS.c.state, TOOL_CALLS.c.result)))
    assert [dict(row) for row in rows] == [{"state": "done", "result": "paid 5"}]


async def test_what_goes_wrong_with_a_tool_is_a_result_that_the_model_sees(database: Database) -> None:
    till = Till(failure=ToolFailed("The till is locked; ask for the key."))
    turns = [
        pay(1),
        Turn("", [("nothing", {})]),
        Turn("", [("pay", "{not json")]),
        Turn("", [("pay", {"amount": "many"})]),
        "I give up.",
    ]
    one = bench(database, *turns, tools={"pay": till})
    await one.define()
    run = await one.run()
    assert run.status == "completed"
    results = [said.content for said in await one.history(run.thread_id) if said.role == "tool"]
    assert results[0] == "The till is locked; ask for the key."
    assert "no tool 'nothing'" in results[1]
    assert "not valid JSON" in results[2]
    assert "do not fit" in results[3]
    assert till.paid == ["1"]


@pytest.mark.parametrize("amount", [r'"\ud83d"', "NaN", "1e999", "9" * 30, "[" * 40 + "]" * 40])
async def test_arguments_that_nothing_can_keep_are_told_to_the_model(database: Database, amount: str) -> None:
    till = Till()
    one = bench(database, Turn("", [("pay", f'{{"amount": {amount}}}')]), pay(2), "Paid.", tools={"pay": till})
    await one.define()
    run = await one.run()
    assert (run.status, till.paid) == ("completed", ["2"])
    said = [each for each in await one.history(run.thread_id) if each.role == "tool"]
    assert "Send the whole call again" in said[0].content
    assert all(event.model_dump_json() for event in await one.events(run))


async def test_a_tool_that_takes_too_long_is_ended_and_said_to_be_unknown(database: Database) -> None:
    till = Till(held=True)
    one = bench(database, pay(1), "Hm.", tools={"pay": till})
    object.__setattr__(one.execution.settings, "tool_seconds", 0.1)
    await one.define()
    run = await one.run()
    assert run.status == "completed"
    assert "may or may not have happened" in (await one.history(run.thread_id))[2].content
