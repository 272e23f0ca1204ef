from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from services.agent.tests.payments import Till, pay
from services.agent.tests.runs_bench import bench

from agent.settings import AgentSettings
from agent.steps.model_step import NO_ANSWER
from agent.testing.scripted_agents import Turn
from agent.testing.scripted_answers import CAPABLE
from agent.threads.messages import RESULTS, UNKNOWN
from agent.tools.tool import ToolCaller
from contracts.access.delegation import Spent
from contracts.models.catalog import ModelPrice
from contracts.models.chat import ChatRequest
from servicekit.sql.database import Database


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


@pytest.mark.parametrize(
    ("name", "arguments"), [("pay", '{"amount": oops'), ("nothing", "{}"), ("pay", '{"amount": "many"}')]
)
@pytest.mark.parametrize(
    ("limits", "limit"), [({"steps": 6}, "steps"), ({"tokens": 100}, "tokens"), ({"tool_calls": 3}, "tool_calls")]
)
async def test_a_call_that_cannot_be_made_counts_for_every_limit(
    database: Database, name: str, arguments: str, limits: dict[str, Any], limit: str
) -> None:
    till = Till()
    one = bench(database, Turn("", [(name, arguments)]), tools={"pay": till})
    await one.define(limits=limits)
    run = await one.run()
    assert (run.status, run.limit) == ("limit_reached", limit), "at once, in one attempt"
    assert run.steps == run.usage.model_calls <= 6
    assert till.paid == []
    assert run.tool_calls <= run.steps


async def test_a_run_ends_at_its_limit_though_a_tool_does_not_let_itself_be_ended(database: Database) -> None:
    released = asyncio.Event()

    class Stubborn(Till):
        async def call(self, arguments: dict[str, Any], caller: ToolCaller) -> str:
            while not released.is_set():
                try:
                    await released.wait()
                except asyncio.CancelledError:
                    continue
            return "late"

    one = bench(database, pay(5), tools={"pay": Stubborn()})
    await one.define(limits={"seconds": 0.5})
    try:
        async with asyncio.timeout(60):
            run = await one.run()
    finally:
        released.set()
    assert (run.status, run.limit) == ("limit_reached", "seconds")


async def test_time_is_a_budget_and_ends_a_call_that_is_under_way(database: Database) -> None:
    for seconds in (0.3, 3, 30):  # a slow machine needs more than a moment until the call is under way
        till = Till(held=True)
        one = bench(database, pay(5), tools={"pay": till})
        await one.define(limits={"seconds": seconds})
        run = await one.run()
        if till.begun.is_set():
            break
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
    assert run.steps == 6
    assert run.output == "I pay."


async def test_a_model_that_repeats_itself_is_asked_for_an_answer_in_words(database: Database) -> None:
    def script(request: ChatRequest) -> Turn:
        has_tools = bool((request.model_extra or {}).get("tools"))
        return Turn("", [("pay", {"amount": 1})]) if has_tools else Turn("Hello to you.")

    one = bench(database, tools={"pay": Till("safe")})
    one.model.script = script
    await one.define()
    run = await one.run("hello")
    assert (run.status, run.limit, run.output) == ("limit_reached", "repeated_calls", "Hello to you.")
    assert [event.type for event in await one.events(run)][-1] == "run.limit_reached"
    assert (await one.history(run.thread_id))[-1].content == "Hello to you."
    [_, asked] = one.model.requests[-1].messages
    assert asked.role == "user"
    assert asked.plain_text() == f'{RESULTS}\npay {{"amount": 1}}: paid 1\n\nhello'


@pytest.mark.parametrize(
    ("schema", "output"), [(None, NO_ANSWER), ({"type": "object", "properties": {"paid": {"type": "string"}}}, None)]
)
async def test_a_model_that_only_repeats_itself_leaves_an_honest_sentence_where_words_are_the_output(
    database: Database, schema: dict[str, Any] | None, output: str | None
) -> None:
    till = Till("safe")
    one = bench(database, Turn("", [("pay", {"amount": 1})]), tools={"pay": till})
    await one.define(output_schema=schema)
    run = await one.run("hello")
    assert (run.status, run.limit, run.output) == ("limit_reached", "repeated_calls", output)
    assert till.paid == ["1", "1"], "a call that comes though none may be made is not made"


async def test_a_run_whose_process_was_killed_in_a_step_says_what_that_step_was_charged_too(database: Database) -> None:
    one = bench(database, "Hello.", settings=AgentSettings(run_lease_seconds=30))
    await one.define()
    run = await one.start()
    assert await one.queue.claim("killed") is not None  # whose step nobody has written down
    killed = {"prompt_tokens": 120, "completion_tokens": 7, "embedding_tokens": 3, "model_calls": 1}
    one.tokens.ledger[run.id] = Spent(**killed, cost_nano_usd=57_000)
    whole = Spent(prompt_tokens=140, completion_tokens=9, embedding_tokens=3, model_calls=2, cost_nano_usd=77_000)

    async def charge(_: object) -> None:
        one.tokens.ledger[run.id] = whole

    one.model.before = charge
    one.clock.advance(31)
    assert await one.work()
    usage = (await one.shown(run)).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.model_calls) == (140, 9, 2)
    assert usage.cost_usd == Decimal("0.000077")


async def test_what_a_killed_step_was_charged_counts_for_the_limits_of_the_run(database: Database) -> None:
    one = bench(database, "Hello.", settings=AgentSettings(run_lease_seconds=30))
    await one.define(limits={"tokens": 100})
    run = await one.start()
    assert await one.queue.claim("killed") is not None
    spent = Spent(prompt_tokens=140, completion_tokens=9, embedding_tokens=0, model_calls=1, cost_nano_usd=0)
    one.tokens.ledger[run.id] = spent
    one.clock.advance(31)
    assert await one.work()
    ended = await one.shown(run)
    assert (ended.status, ended.limit) == ("limit_reached", "tokens")
    assert not one.model.requests, "nothing is asked beyond it"
