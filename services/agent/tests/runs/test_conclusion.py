from __future__ import annotations

import asyncio

from services.agent.tests.payments import Till, pay
from services.agent.tests.runs_bench import bench

from agent.threads.messages import NO_RESULT, UNKNOWN
from servicekit.sql.database import Database


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
