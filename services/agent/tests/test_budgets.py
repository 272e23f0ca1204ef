from __future__ import annotations

from typing import Any

import pytest

from agent.adapters.scripted import CAPABLE
from agent.adapters.scripted_agents import Turn
from agent.messages import UNKNOWN
from contracts.models import ModelPrice
from servicekit.sql import Database

from .runs_bench import bench
from .tills import Till, pay


@pytest.mark.parametrize(
    ("limits", "limit", "steps"),
    [
        ({"steps": 2}, "steps", 2),
        ({"tool_calls": 3}, "tool_calls", 4),
        ({"tokens": 60}, "tokens", 3),
        ({"cost_usd": "0.0001"}, "cost_usd", 2),
    ],
)
async def test_each_budget_ends_a_run_with_what_it_has(
    database: Database, limits: dict[str, Any], limit: str, steps: int
) -> None:
    turns = [Turn(f"So far {number}.", [("pay", {"amount": number})]) for number in range(20)]
    price = ModelPrice(prompt_usd_per_million=2, completion_usd_per_million=3)  # type: ignore[arg-type]
    one = bench(database, *turns, tools={"pay": Till()})
    one.model.info = CAPABLE.model_copy(update={"price": price})
    await one.define(limits=limits)
    run = await one.run()
    assert (run.status, run.limit, run.steps) == ("limit_reached", limit, steps)
    assert run.output == f"So far {steps - 1}."
    assert run.tool_calls <= 3 or limit != "tool_calls"
    assert run.usage.cost_usd is not None
    assert [event.type for event in await one.events(run)][-1] == "run.limit_reached"


async def test_time_is_a_budget_and_ends_a_call_that_is_under_way(database: Database) -> None:
    till = Till(held=True)
    one = bench(database, pay(5), tools={"pay": till})
    await one.define(limits={"seconds": 0.3})
    run = await one.run()
    assert (run.status, run.limit) == ("limit_reached", "seconds")
    assert [said.content for said in await one.history(run.thread_id) if said.role == "tool"] == [UNKNOWN]


async def test_a_limit_of_money_needs_a_price(database: Database) -> None:
    one = bench(database, "Hello.")
    await one.define(limits={"cost_usd": "1"})
    run = await one.run()
    assert run.status == "failed"
    assert run.error is not None
    assert run.error.code == "price_unknown"


async def test_without_a_price_a_cost_is_unknown_and_never_zero(database: Database) -> None:
    one = bench(database, "Hello.")
    await one.define()
    assert (await one.run()).usage.cost_usd is None


async def test_a_model_that_repeats_itself_is_told_and_then_stopped(database: Database) -> None:
    till = Till("safe")
    one = bench(database, pay(1), tools={"pay": till})  # the same call for ever
    await one.define(limits={"steps": 100})
    run = await one.run()
    assert (run.status, run.limit) == ("limit_reached", "repeated_calls")
    assert till.paid == ["1", "1"]
    assert run.steps == 5
