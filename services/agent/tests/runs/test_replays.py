from __future__ import annotations

from typing import Any

import pytest
from services.agent.tests.payments import Till, pay
from services.agent.tests.runs_bench import PRINCIPAL, VIEWER, Bench, bench
from sqlalchemy import delete

from agent.agents import definitions
from agent.errors import AgentNotFound, AgentVersionNotFound, AgentVersionReplaced
from agent.runs import replays
from agent.runs import repository as runs
from agent.runs.errors import NothingLeftToDo, ReplayTooLarge, RunNotEnded, StepNotFound
from agent.tables import EVENTS
from agent.testing.scripted_agents import ScriptedAgent, Turn
from agent.threads.repository import Viewer
from contracts.access.delegation import Delegation, Scope
from contracts.agents.runs import ReplayedFrom, Run, RunReplay
from contracts.models.chat import ChatRequest
from servicekit.core.clock import ManualClock
from servicekit.core.errors import InvalidRequest
from servicekit.sql.database import Database


async def _begun(one: Bench, run: Run, after: int, viewer: Viewer = VIEWER, **more: Any) -> Run:
    """A queued replay."""
    wanted = RunReplay(after=after, **more)
    async with one.database.write() as connection:
        row = dict(await runs.get_run(connection, run.thread_id, run.id))
        made = await replays.create_replay(connection, viewer, PRINCIPAL, row, wanted, one.clock.now())
    return runs.to_run(dict(made))


async def _replayed(one: Bench, run: Run, after: int, **more: Any) -> Run:
    """A replay as far as it goes by itself."""
    begun = await _begun(one, run, after, **more)
    await one.work()
    return await one.shown(begun)


async def _said(one: Bench, run: Run, role: str | None = None) -> list[str]:
    return [said.content for said in await one.history(run.thread_id) if role in (None, said.role)]


def _viewer(*scopes: Scope, **limits: Any) -> Viewer:
    rights = Delegation(audiences=("agent",), tenant="acme", key_id="key_1", scopes=scopes, request_id="r", **limits)
    return Viewer.of(rights)


async def test_what_stands_before_the_step_is_read_as_it_was_and_no_call_of_it_is_made_again(
    database: Database,
) -> None:
    till = Till()
    one = bench(database, pay(5), pay(7), "Both paid.", tools={"pay": till})
    await one.define()
    run = await one.run()
    before, asked = await one.history(run.thread_id), len(one.model.requests)
    again = await _replayed(one, run, 1)
    assert (again.status, again.output, again.steps, again.tool_calls) == ("completed", "Both paid.", 2, 1)
    assert till.paid == ["5", "7", "7"]
    assert (again.usage.model_calls, run.usage.model_calls) == (2, 3)
    assert again.replayed_from == ReplayedFrom(thread_id=run.thread_id, run_id=run.id, after=1)
    assert [message.role for message in one.model.requests[asked].messages] == ["system", "user", "assistant", "tool"]
    assert one.model.requests[asked].messages[-1].plain_text() == "paid 5"
    assert await one.history(run.thread_id) == before
    assert await one.shown(run) == run
    taken = await one.history(again.thread_id)
    assert [said.content for said in taken] == [said.content for said in before]
    assert [said.run_id for said in taken] == [run.id] * 3 + [again.id] * 3
    events = await one.events(again)
    assert (events[0].type, events[0].data["replayed_from"]["after"]) == ("run.queued", 1)
    assert [event.step for event in events if event.type == "step.started"] == [1, 2]


async def test_from_the_beginning_a_run_is_asked_the_same_or_something_else_after_what_came_before_it(
    database: Database,
) -> None:
    one = bench(database, "Hello.")
    await one.define()
    first = await one.run("First.")
    run = await one.run("Second.", thread=first.thread_id)
    await one.run("Later.", thread=first.thread_id)
    other = await _replayed(one, run, 0, input="Third.")
    assert (other.input, await _said(one, other)) == ("Third.", ["First.", "Hello.", "Third.", "Hello."])
    assert [message.plain_text() for message in one.model.requests[-1].messages[1:]] == ["First.", "Hello.", "Third."]
    same = await _replayed(one, run, 0)
    assert (same.input, await _said(one, same)) == ("Second.", ["First.", "Hello.", "Second.", "Hello."])


async def test_after_the_answer_there_is_only_something_new_to_say(database: Database) -> None:
    one = bench(database, "Hello.", "Hello again.")
    await one.define()
    run = await one.run()
    with pytest.raises(NothingLeftToDo, match="After step 1"):
        await _begun(one, run, 1)
    more = await _replayed(one, run, 1, input="And now?")
    assert await _said(one, more) == ["Do it.", "Hello.", "And now?", "Hello again."]


async def test_something_may_be_added_after_a_step_s_results(database: Database) -> None:
    till = Till()
    one = bench(database, pay(5), "Paid.", tools={"pay": till})
    await one.define()
    more = await _replayed(one, await one.run(), 1, input="Be brief.")
    assert (more.input, more.output, till.paid) == ("Be brief.", "Paid.", ["5"])
    assert await _said(one, more) == ["Do it.", "I pay.", "paid 5", "Be brief.", "Paid."]


async def test_a_run_under_way_and_a_step_that_was_not_finished_are_refused(database: Database) -> None:
    one = bench(database, pay(5), "Paid.", tools={"pay": Till()})
    await one.define(approval={"tools": ["pay"]})
    run = await one.start()
    with pytest.raises(RunNotEnded, match="is queued"):
        await _begun(one, run, 0)
    await one.work()
    with pytest.raises(RunNotEnded, match="is waiting_approval"):
        await _begun(one, run, 0)
    await one.cancel(run)
    with pytest.raises(StepNotFound, match="step 2: it has 1; one that was under way"):
        await _begun(one, run, 2)
    assert (await _replayed(one, run, 1)).output == "Paid."


async def test_approvals_are_asked_for_again(database: Database) -> None:
    till = Till()
    one = bench(database, pay(5), "Paid.", tools={"pay": till})
    await one.define(approval={"tools": ["pay"]})
    run = await one.run()
    await one.resume(run, {"tool_call_id": run.pending_tool_calls[0].id, "action": "approve"})
    await one.work()
    again = await _replayed(one, run, 0)
    assert (again.status, [call.arguments for call in again.pending_tool_calls]) == (
        "waiting_approval",
        [{"amount": 5}],
    )
    assert till.paid == ["5"]


async def test_limits_count_what_is_new(database: Database) -> None:
    till = Till()
    one = bench(database, pay(5), pay(7), "Both paid.", tools={"pay": till})
    await one.define(limits={"steps": 2, "tool_calls": 2})
    run = await one.run()
    assert (run.status, run.limit) == ("limit_reached", "steps")
    again = await _replayed(one, run, 1)
    assert (again.status, again.steps, till.paid) == ("completed", 2, ["5", "7", "7"])
    assert (await _replayed(one, run, 2)).output == "Both paid."


async def test_a_replay_is_replayed_by_steps_of_its_own(database: Database) -> None:
    till = Till()
    one = bench(database, pay(1), pay(2), pay(3), "Done.", tools={"pay": till})
    await one.define()
    first = await _replayed(one, await one.run(), 1)
    till.paid.clear()
    second = await _replayed(one, first, 1)
    assert (second.status, till.paid) == ("completed", ["3"])
    third = await _replayed(one, first, 0)
    assert (third.status, third.steps, till.paid) == ("completed", 3, ["3", "2", "3"])
    asked = await _replayed(one, first, 1, input="Only this.")
    other = await _replayed(one, asked, 0, input="Or that.")
    assert await _said(one, other, "user") == ["Do it.", "Or that."]


async def test_a_replay_that_ends_before_it_says_anything_says_nothing_of_what_it_took_over(
    database: Database,
) -> None:
    till = Till()
    one = bench(database, pay(5), "Paid.", tools={"pay": till})
    await one.define()
    run = await one.run()
    cancelled = await one.cancel(await _begun(one, run, 1))
    one.model.failures.append(InvalidRequest("No."))
    failed = await _replayed(one, run, 1)
    assert ((cancelled.status, cancelled.output), (failed.status, failed.output)) == (
        ("cancelled", None),
        ("failed", None),
    )
    for ended in (cancelled, failed):
        assert await _said(one, ended) == ["Do it.", "I pay.", "paid 5"]
        assert (await _replayed(one, ended, 0)).output == "Paid."
    assert till.paid == ["5"]


async def test_a_replay_needs_no_events(database: Database) -> None:
    one = bench(database, pay(5), "Paid.", tools={"pay": Till()})
    await one.define()
    run = await one.run()
    async with database.write() as connection:
        await connection.execute(delete(EVENTS))
    assert (await _replayed(one, run, 1)).output == "Paid."


async def test_an_output_that_did_not_fit_and_what_the_model_was_told_are_one_step(database: Database) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    one = bench(database, "None.", '{"n": 1}')
    await one.define(output_schema=schema)
    run = await one.run()
    assert (run.status, run.steps) == ("completed", 2)
    again = await _replayed(one, run, 1)
    assert (again.status, again.steps, again.output) == ("completed", 1, run.output)
    assert await _said(one, again) == await _said(one, run)


async def test_the_version_is_the_run_s_own_or_the_one_that_is_asked_for(database: Database) -> None:
    one = bench(database, "Hello.")
    await one.define()
    run = await one.run()
    await one.define(instructions="Be kind.")
    assert (await _begun(one, run, 0)).agent_version == 1
    assert (await _begun(one, run, 0, agent_version="current")).agent_version == 2
    assert (await _begun(one, run, 0, agent_version=2)).agent_version == 2
    with pytest.raises(AgentVersionNotFound, match="current one is 2"):
        await _begun(one, run, 0, agent_version=99)
    async with database.write() as connection:
        await definitions.delete_agent(connection, VIEWER, "helper", one.clock.now())
    with pytest.raises(AgentNotFound):
        await _begun(one, run, 0)


async def test_a_version_that_was_replaced_is_run_only_by_keys_that_could_bring_it_back(database: Database) -> None:
    one = bench(database, "Hello.")
    await one.define()
    run = await one.run()
    await one.define(instructions="Be kind.")
    for viewer in (_viewer("agents"), _viewer("agents", "agents:write", collections=("handbook",))):
        with pytest.raises(AgentVersionReplaced, match="replaced by version 2"):
            await _begun(one, run, 0, viewer)
        assert (await _begun(one, run, 0, viewer, agent_version="current")).agent_version == 2
    assert (await _begun(one, run, 0, _viewer("agents", "agents:write"))).agent_version == 1


async def test_what_is_taken_over_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    one = bench(database, pay(5), "Paid.", tools={"pay": Till()})
    await one.define()
    run = await one.run()
    monkeypatch.setattr(replays, "MOST_MESSAGES", 2)
    with pytest.raises(ReplayTooLarge, match="2 messages"):
        await _begun(one, run, 1)
    monkeypatch.setattr(replays, "MOST_MESSAGES", 3)
    monkeypatch.setattr(replays, "MOST_BYTES", 100)
    with pytest.raises(ReplayTooLarge, match="100 bytes"):
        await _begun(one, run, 1)
    await _begun(one, run, 0)


async def test_what_is_taken_over_must_leave_room_in_the_limit_of_tokens(database: Database) -> None:
    one = bench(database, pay(5), "Paid.", tools={"pay": Till()})
    await one.define(instructions="Pay.", limits={"tokens": 8000})
    run = await one.run("Pay five. " * 400)
    assert run.status == "completed"
    await one.define(instructions="Pay.", limits={"tokens": 1000})
    with pytest.raises(ReplayTooLarge, match=r"about 1,0\d\d tokens.*may use 1,000 in all"):
        await _begun(one, run, 1, agent_version="current")
    assert (await _replayed(one, run, 1)).output == "Paid."


async def test_a_step_that_is_decided_on_after_what_was_taken_over_is_kept_once(database: Database) -> None:
    till = Till()
    one = bench(database, pay(5), pay(7), "Both paid.", tools={"pay": till})
    await one.define()
    run = await one.run()
    await one.define(approval={"tools": ["pay"]})
    again = await _replayed(one, run, 1, agent_version="current")
    assert again.status == "waiting_approval"
    await one.resume(again, {"tool_call_id": again.pending_tool_calls[0].id, "action": "approve"})
    await one.work()
    assert (await one.shown(again)).output == "Both paid."
    assert await _said(one, again) == await _said(one, run)
    assert till.paid == ["5", "7", "7"]


def _talk_or_pay(request: ChatRequest) -> Turn:
    """Sums up when asked to; pays once when asked to; else says something long."""
    last = request.messages[-1]
    if last.plain_text().startswith("Sum up"):
        return Turn("They spoke about ships.")
    if last.plain_text() == "Pay.":
        return pay(5)
    return Turn("Paid." if last.role == "tool" else "Ships sail. " * 60)


async def test_a_replay_on_a_thread_that_was_summed_up_reads_all_once(database: Database) -> None:
    one = Bench(database, ScriptedAgent(_talk_or_pay), ManualClock(), tools={"pay": Till()})
    await one.define(memory={"max_tokens": 600})
    thread = await one.thread()
    for number in range(5):
        await one.run(f"Tell me of ship {number}.", thread=thread)
    run = await one.run("Pay.", thread=thread)
    again = await _replayed(one, run, 1)
    assert (again.status, again.output) == ("completed", "Paid.")
    assert await _said(one, again) == await _said(one, run)
    read = [message.plain_text() for message in one.model.requests[-1].messages]
    assert "They spoke about ships." in read[0]
    assert read[-3:] == ["Pay.", "I pay.", "paid 5"]
    assert read.count("Pay.") == 1
    asked = [text for text in read if text.startswith("Tell me of ship")]
    assert asked == [f"Tell me of ship {number}." for number in range(5 - len(asked), 5)]
    assert 0 < len(asked) < 5
