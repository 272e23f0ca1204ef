from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
from services.agent.tests.payments import Till, killed_in_the_middle, pay
from services.agent.tests.runs_bench import Bench, bench

from agent.errors import ArgumentsDontFit, DecisionsDontFit, RunNotWaiting
from contracts.agents.runs import Run
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database


async def test_a_person_decides_on_all_pending_calls_at_once(database: Database) -> None:
    till = Till()
    one = bench(database, pay(1, 2, 3), "Noted.", tools={"pay": till})
    await one.define(approval={"tools": ["pay"]})
    run = await one.run()
    assert run.status == "waiting_approval"
    first, second, third = run.pending_tool_calls
    assert (first.name, first.arguments, first.reason) == ("pay", {"amount": 1}, "approval")
    assert till.paid == []
    with pytest.raises(DecisionsDontFit):
        await one.resume(run, {"tool_call_id": first.id, "action": "approve"})
    await one.resume(
        run,
        {"tool_call_id": first.id, "action": "approve"},
        {"tool_call_id": second.id, "action": "edit", "arguments": {"amount": 20}},
        {"tool_call_id": third.id, "action": "reject", "message": "Too much."},
    )
    other = bench(database, pay(1, 2, 3), "Noted.", tools={"pay": till}, clock=one.clock)  # another replica goes on
    await other.work()
    ended = await other.shown(run)
    assert (ended.status, ended.pending_tool_calls) == ("completed", [])
    assert till.paid == ["1", "20"]
    assert till.keys == [f"{run.id}:1:0", f"{run.id}:1:1"]
    results = [said.content for said in await other.history(run.thread_id) if said.role == "tool"]
    assert results[:2] == ["paid 1", "paid 20"]
    assert "Too much." in results[2]
    with pytest.raises(RunNotWaiting):
        await one.resume(ended, {"tool_call_id": first.id, "action": "approve"})


async def test_a_person_is_told_that_an_edit_does_not_fit_and_nothing_is_decided(database: Database) -> None:
    till = Till()
    one = bench(database, pay(1), "Noted.", tools={"pay": till})
    await one.define(approval={"tools": ["pay"]})
    run = await one.run()
    call = run.pending_tool_calls[0].id
    assert run.pending_tool_calls[0].parameters == till.parameters
    for arguments, wrong in (
        ({"amount": "all of it"}, "amount: "),
        ({}, "'amount' is a required"),
        ({"sum": 1}, "'sum'"),
    ):
        with pytest.raises(ArgumentsDontFit, match=wrong) as told:
            await one.resume(run, {"tool_call_id": call, "action": "edit", "arguments": arguments})
        assert told.value.http_status == 422
    assert not await one.work()
    assert ((await one.shown(run)).status, till.paid) == ("waiting_approval", [])
    await one.resume(run, {"tool_call_id": call, "action": "edit", "arguments": {"amount": 2}})
    await one.work()
    assert ((await one.shown(run)).status, till.paid) == ("completed", ["2"])


async def test_a_person_can_decide_on_a_call_of_unknown_outcome(database: Database) -> None:
    clock, till = ManualClock(), Till(held=True)
    first = bench(database, pay(5), "Done.", tools={"pay": till}, clock=clock)
    await first.define(approval={"unknown_outcomes": True})
    run = await first.start()
    await killed_in_the_middle(first, till)
    second = bench(database, pay(5), "Done.", tools={"pay": till}, clock=clock)
    await second.work()
    waiting = await second.shown(run)
    assert waiting.status == "waiting_approval"
    assert waiting.pending_tool_calls[0].reason == "outcome_unknown"
    assert till.paid == ["5"]
    await second.resume(run, {"tool_call_id": waiting.pending_tool_calls[0].id, "action": "approve"})
    await second.work()
    assert (await second.shown(run)).status == "completed"
    assert till.paid == ["5", "5"]  # a person said so


async def test_a_run_killed_between_its_question_and_its_wait_asks_again(database: Database) -> None:
    clock, till = ManualClock(), Till()
    first = bench(database, pay(5), "Done.", tools={"pay": till}, clock=clock)
    await first.define(approval={"tools": ["pay"]})
    run = await first.start()
    work = await first.queue.claim("first")
    assert work is not None
    first.execution.checkpoints.attach(work.id, work)
    async with AsyncExitStack() as closing:
        await first.execution._advance(work, closing)  # the interrupt is in the checkpoint; then the process dies
    first.execution.checkpoints.detach(work.id)
    clock.advance(31)
    second = bench(database, pay(5), "Done.", tools={"pay": till}, clock=clock)
    await second.work()
    waiting = await second.shown(run)
    assert waiting.status == "waiting_approval"
    await second.resume(run, {"tool_call_id": waiting.pending_tool_calls[0].id, "action": "approve"})
    await second.work()
    assert (await second.shown(run)).status == "completed"
    assert till.paid == ["5"]


async def test_an_edit_that_takes_all_arguments_away_is_what_is_called(database: Database) -> None:
    till = Till()
    till.parameters = {"type": "object", "properties": {"amount": {"type": "integer"}}}
    one = bench(database, pay(1000), "Noted.", tools={"pay": till})
    await one.define(approval={"tools": ["pay"]})
    run = await one.run()
    call = run.pending_tool_calls[0].id
    await one.resume(run, {"tool_call_id": call, "action": "edit", "arguments": {}})
    await one.work()
    assert till.paid == ["nothing"]
    assert (await one.shown(run)).status == "completed"


async def _edited_then_cut_off(database: Database, till: Till) -> tuple[Bench, Run, str]:
    """A run that asks about a call, edited to pay 4 instead of 5 and then cut off; and the call's id."""
    one = bench(database, pay(5), "Done.", tools={"pay": till}, clock=ManualClock())
    await one.define(approval={"tools": ["pay"], "unknown_outcomes": True})
    run = await one.run()
    call = run.pending_tool_calls[0].id
    await one.resume(run, {"tool_call_id": call, "action": "edit", "arguments": {"amount": 4}})
    await killed_in_the_middle(one, till)
    await one.work()
    return one, run, call


async def test_an_edit_of_a_call_of_unknown_outcome_may_take_all_arguments_away(database: Database) -> None:
    till = Till(held=True)
    till.parameters = {"type": "object", "properties": {"amount": {"type": "integer"}}}
    one, run, call = await _edited_then_cut_off(database, till)
    await one.resume(run, {"tool_call_id": call, "action": "edit", "arguments": {}})
    await one.work()
    assert till.paid == ["4", "nothing"]
    assert (await one.shown(run)).status == "completed"


async def test_who_decides_on_a_call_of_unknown_outcome_sees_what_was_tried_and_approves_that(
    database: Database,
) -> None:
    till = Till(held=True)
    one, run, call = await _edited_then_cut_off(database, till)
    waiting = (await one.shown(run)).pending_tool_calls[0]
    assert (waiting.reason, waiting.arguments) == ("outcome_unknown", {"amount": 4})
    await one.resume(run, {"tool_call_id": call, "action": "approve"})
    await one.work()
    assert till.paid == ["4", "4"]


async def test_an_edit_of_a_call_of_unknown_outcome_that_does_not_fit_the_schema_is_not_carried_out(
    database: Database,
) -> None:
    clock, till = ManualClock(), Till(held=True)
    one = bench(database, pay(5), "Done.", tools={"pay": till}, clock=clock)
    await one.define(approval={"unknown_outcomes": True})
    run = await one.start()
    await killed_in_the_middle(one, till)
    await one.work()
    call = (await one.shown(run)).pending_tool_calls[0].id
    with pytest.raises(ArgumentsDontFit):
        await one.resume(run, {"tool_call_id": call, "action": "edit", "arguments": {"amount": "much"}})
    assert ((await one.shown(run)).status, till.paid) == ("waiting_approval", ["5"])
