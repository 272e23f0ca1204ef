from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from services.agent.tests.payments import Till, killed_in_the_middle, pay
from services.agent.tests.runs_bench import Bench, bench
from sqlalchemy import Connection, func, select

from agent.errors import ThreadBusy, ThreadNotFound
from agent.runs import repository as runs
from agent.runs.checkpoints import KEPT, PRUNED_EVERY
from agent.tables import CHECKPOINT_WRITES, CHECKPOINTS, TOOL_CALLS
from agent.testing.fixed_tokens import FixedTokens, KeyRevoked
from agent.testing.scripted_agents import ScriptedAgent, Turn, in_turn
from agent.threads.messages import NO_RESULT, UNKNOWN
from agent.tools.tool import Repeat, ToolFailed
from servicekit.core.clock import ManualClock
from servicekit.core.errors import NotReady
from servicekit.sql.database import Database


async def test_a_run_calls_tools_and_answers(database: Database) -> None:
    till = Till()
    one = bench(database, pay(3, 4), "Both are paid.", tools={"pay": till})
    await one.define(tools=["calculator"])
    run = await one.run("Pay 3 and 4.")
    assert (run.status, run.output, run.steps, run.tool_calls) == ("completed", "Both are paid.", 2, 2)
    assert till.paid == ["3", "4"]
    assert till.keys == [f"{run.id}:1:0", f"{run.id}:1:1"]
    assert [one.role for one in await one.history(run.thread_id)] == ["user", "assistant", "tool", "tool", "assistant"]


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
    work = await first.ledger.claim("first")
    assert work is not None
    task = asyncio.create_task(first.execution.run(work, first.stopping))
    await till.begun.wait()  # the call has ended by now, and nothing of it is written down yet
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    clock.advance(31)
    second = bench(database, pay(5), "Done.", tools={"pay": till}, clock=clock)
    assert await second.work()
    assert (await second.shown(run)).status == "completed"
    assert till.paid == ["5", "5"]
    rows = await database.fetch(select(TOOL_CALLS.c.state, TOOL_CALLS.c.result))
    assert [dict(row) for row in rows] == [{"state": "done", "result": "paid 5"}]


async def test_what_a_broken_off_transaction_has_committed_is_not_said_again(database: Database) -> None:
    one = bench(database, "Hello.")
    await one.define()
    run = await one.start()
    work = await one.ledger.claim("first")
    assert work is not None
    for repeat in range(3):
        under_way, may_end = threading.Event(), threading.Event()

        def held(_: Connection, under_way: threading.Event = under_way, may_end: threading.Event = may_end) -> None:
            under_way.set()
            assert may_end.wait(60)

        work.say("token", {"text": f"{repeat} "}, repeat)
        task = asyncio.create_task(work.write(held))
        await asyncio.to_thread(under_way.wait, 20)
        task.cancel()
        work.say("usage", {"number": repeat}, repeat)
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
    work = await first.ledger.claim("first")
    assert work is not None
    task = asyncio.create_task(first.execution.run(work, first.stopping))
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


async def test_a_cancelled_run_leaves_a_history_that_a_model_can_read(database: Database) -> None:
    till = Till(held=True)
    one = bench(database, pay(5), "Hello again.", tools={"pay": till})
    await one.define()
    run = await one.start()
    working = asyncio.create_task(one.work())
    await till.begun.wait()
    await one.cancel(run)
    await working
    assert (await one.shown(run)).status == "cancelled"
    assert [event.type for event in await one.events(run)][-1] == "run.cancelled"
    results = [said for said in await one.history(run.thread_id) if said.role == "tool"]
    assert [said.content for said in results] == [UNKNOWN]
    again = await one.run("And now?", thread=run.thread_id)
    assert again.status == "completed"
    asked = one.model.requests[-1].messages
    called = [call["id"] for said in asked for call in (said.model_extra or {}).get("tool_calls") or ()]
    answered = [(said.model_extra or {})["tool_call_id"] for said in asked if said.role == "tool"]
    assert called == answered != []


async def test_a_waiting_run_can_be_cancelled_and_its_calls_never_happen(database: Database) -> None:
    till = Till()
    one = bench(database, pay(5), tools={"pay": till})
    await one.define(approval={"tools": ["pay"]})
    run = await one.run()
    ended = await one.cancel(run)
    assert ended.status == "cancelled"
    assert not await one.work()
    assert till.paid == []
    assert [said.content for said in await one.history(run.thread_id) if said.role == "tool"] == [NO_RESULT]


async def test_a_thread_has_one_run_at_a_time(database: Database) -> None:
    one = bench(database, "Hello.")
    await one.define()
    run = await one.start()
    with pytest.raises(ThreadBusy):
        await one.start(thread=run.thread_id)
    await one.work()
    await one.start(thread=run.thread_id)


async def test_no_run_is_started_on_a_thread_that_was_deleted_since_it_was_looked_for(database: Database) -> None:
    one = bench(database, "Done.")
    await one.define()
    with pytest.raises(ThreadNotFound):
        await one.start(thread="thread_gone")


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


async def test_an_output_is_validated_and_repaired_a_bounded_number_of_times(database: Database) -> None:
    schema = {"type": "object", "properties": {"days": {"type": "integer"}}, "required": ["days"]}
    one = bench(database, "27 days", '{"days": "27"}', '```json\n{"days": 27}\n```')
    await one.define(output_schema=schema)
    run = await one.run()
    assert (run.status, run.output, run.steps) == ("completed", '{"days": 27}', 3)
    never = bench(database, "no JSON", clock=one.clock)
    ended = await never.run()
    assert (ended.status, ended.limit, ended.steps, ended.output) == ("limit_reached", "invalid_output", 3, "no JSON")


@pytest.mark.parametrize("days", [r'"\ud83d"', "NaN", "1e999", "9" * 30])
async def test_an_output_that_nothing_can_keep_is_repaired(database: Database, days: str) -> None:
    one = bench(database, f'{{"days": {days}}}', '{"days": 27}')
    await one.define(output_schema={"type": "object"})
    run = await one.run()
    assert (run.status, run.output, run.steps) == ("completed", '{"days": 27}', 2)


async def test_a_run_waits_for_a_service_that_is_away_and_loses_nothing(database: Database) -> None:
    one = bench(database, pay(1), "Done.", tools={"pay": Till()})
    one.model.failures = [NotReady("The gateway service can't be reached now.")]
    await one.define()
    run = await one.run()
    assert (run.status, run.waiting_on) == ("queued", "not_ready")
    one.clock.advance(5)
    await one.work()
    assert (await one.shown(run)).status == "completed"


async def test_a_revoked_key_stops_its_runs(database: Database) -> None:
    one = bench(database, "Hello.", tokens=FixedTokens(KeyRevoked()))
    await one.define()
    run = await one.run()
    assert run.status == "failed"
    assert run.error is not None
    assert run.error.code == "key_revoked"


async def test_a_run_that_cannot_go_on_is_failed_after_some_tries(database: Database) -> None:
    one = bench(database, "Hello.")

    async def broken(_: object) -> None:
        raise RuntimeError("a bug")

    one.model.before = broken
    await one.define()
    run = await one.start()
    for _ in range(20):
        one.clock.advance(100)
        if not await one.work():
            break
    ended = await one.shown(run)
    assert ended.status == "failed"
    assert ended.error is not None
    assert ended.error.code == "attempts_exhausted"


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


async def test_checkpoints_do_not_pile_up(database: Database) -> None:
    counts: list[int] = []

    async def count(table: Any) -> int:
        async with database.read() as connection:
            return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())

    async def note(_: object) -> None:
        counts.append(await count(CHECKPOINTS))

    turns = [Turn("", [("pay", {"amount": number})]) for number in range(16)]
    model = ScriptedAgent(in_turn(*turns, "Done."), before=note)
    one = Bench(database, model, ManualClock(), tools={"pay": Till()})
    await one.define()
    assert (await one.run()).status == "completed"
    assert max(counts) <= KEPT + PRUNED_EVERY
    assert len(counts) > KEPT + PRUNED_EVERY
    assert await count(CHECKPOINTS) == await count(CHECKPOINT_WRITES) == 0


async def test_of_two_processes_one_gets_a_run(database: Database) -> None:
    clock = ManualClock()
    one, two = bench(database, "Hello.", clock=clock), bench(database, "Hello.", clock=clock)
    await one.define()
    started = [await one.start() for _ in range(4)]
    claims = await asyncio.gather(*(each.ledger.claim(name) for each in (one, two) for name in "abcd"))
    taken = [claim.id for claim in claims if claim is not None]
    assert sorted(taken) == sorted(run.id for run in started)


def test_a_run_is_shown_with_every_field_of_the_contract() -> None:
    assert set(runs._AS_THEY_ARE) <= set(runs.RUNS.c.keys())
