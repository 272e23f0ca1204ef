from __future__ import annotations

from services.agent.tests.payments import Till, pay
from services.agent.tests.runs_bench import bench

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
