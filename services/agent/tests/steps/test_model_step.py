from __future__ import annotations

import pytest
from services.agent.tests.payments import Till, pay
from services.agent.tests.runs_bench import bench

from agent.testing.scripted_agents import Turn
from agent.testing.scripted_answers import CAPABLE
from contracts.models.versions import ModelVersion
from servicekit.sql.database import Database


async def test_a_model_is_asked_with_the_agents_words_tools_and_room(database: Database) -> None:
    one = bench(database, "Done.")
    one.model.info = CAPABLE.model_copy(update={"context_length": 1000})
    await one.define(instructions="Be brief.", tools=["calculator"], temperature=0.5)
    await one.run("What is 6*7?")
    (request,) = one.model.requests
    assert "Be brief." in request.messages[0].plain_text()
    assert request.messages[-1].plain_text() == "What is 6*7?"
    assert [tool["function"]["name"] for tool in request.tools or ()] == ["calculator"]
    assert request.temperature == 0.5
    assert 16 <= (request.max_tokens or 0) < 1000


@pytest.mark.parametrize(("usual", "most"), [(None, 2000), (300, 300), (9000, 2000)])
async def test_a_step_is_no_longer_than_its_models_answers_usually_are(
    database: Database, usual: int | None, most: int
) -> None:
    one = bench(database, "Hello.")
    one.model.info = CAPABLE.model_copy(update={"context_length": 100_000, "answer_tokens": usual})
    await one.define(instructions="Be brief.")
    await one.run("hello")
    assert one.model.requests[0].max_tokens == most


async def test_an_output_schema_is_asked_of_the_model_itself_where_no_tools_are(database: Database) -> None:
    one = bench(database, '{"days": 3}')
    schema = {"type": "object", "properties": {"days": {"type": "integer"}}}
    await one.define(output_schema=schema)
    run = await one.run()
    (request,) = one.model.requests
    assert (request.model_dump()["response_format"] or {})["json_schema"]["schema"] == schema
    assert run.output == '{"days": 3}'


async def test_each_step_of_a_run_says_which_model_it_came_from(database: Database) -> None:
    one = bench(database, "Done.")
    one.model.version = ModelVersion("small", "sha256:ab", "12cd")
    await one.define()
    run = await one.run()
    told = [event.data for event in await one.events(run) if event.type == "usage"]
    assert [(data["model"], data["model_digest"]) for data in told] == [("small", "sha256:ab")]


@pytest.mark.parametrize("choice", ["required", "pay"])
async def test_a_model_that_is_to_call_a_tool_first_does_not_end_in_words(database: Database, choice: str) -> None:
    one = bench(database, "I'm paying ...", pay(3), "Paid it is.", tools={"pay": Till()})
    await one.define(tools=["plan"], tool_choice=choice)
    run = await one.run()
    assert (run.status, run.output, run.steps) == ("completed", "Paid it is.", 3)
    asked = [(request.model_extra or {}).get("tool_choice") for request in one.model.requests]
    wanted = choice if choice == "required" else {"type": "function", "function": {"name": choice}}
    assert asked == [wanted, wanted, None], "once a call is made the model decides"


async def test_a_call_that_cannot_be_made_is_not_the_one_that_is_asked_for(database: Database) -> None:
    broken = Turn("", [("pay", "{oops")])
    one = bench(database, broken, "I can't.", pay(1), "Paid.", tools={"pay": Till()})
    await one.define(tools=["plan"], tool_choice="required")
    run = await one.run()
    assert (run.output, run.steps) == ("Paid.", 4)


async def test_a_model_that_never_calls_the_tool_fails_the_run_with_the_reason(database: Database) -> None:
    one = bench(database, "I'm searching ...", tools={"pay": Till()})
    await one.define(tools=["plan"], tool_choice="required")
    run = await one.run()
    assert (run.status, len(one.model.requests)) == ("failed", 3)
    assert run.error is not None
    assert (run.error.code, run.error.retryable) == ("tool_not_called", False)


async def test_an_agent_that_is_to_call_no_tool_has_none(database: Database) -> None:
    one = bench(database, "Hello.", tools={"pay": Till()})
    await one.define(tools=["plan"], tool_choice="none")
    assert (await one.run()).output == "Hello."
    assert "tools" not in (one.model.requests[0].model_extra or {})
