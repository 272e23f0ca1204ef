from __future__ import annotations

import asyncio
from typing import Any

import pytest
from services.agent.tests.conftest import LEAVE, LEAVE_QUESTION
from services.agent.tests.payments import Till, pay
from services.agent.tests.runs_bench import PRINCIPAL, VIEWER, Bench, bench

from agent.answering.completions import collect
from agent.api import run_completions
from agent.questions.conversation import Conversation
from agent.testing.scripted_agents import Turn
from agent.testing.scripted_answers import PACKAGED, ScriptedSearch
from contracts.models.chat import ChatRequest
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

TOOLS = [{"type": "search_documents", "collections": ["handbook"]}]
SEARCH = Turn("I look for it.", [("search_documents", {"query": "leave"})])
SAID = "Full-time employees get 27 days of paid leave per year."
DRAFT = f"{SAID} The chairman also gives every employee a yacht."


def _bench(database: Database, *turns: Turn | str, **more: Any) -> Bench:
    return bench(database, *turns, search=ScriptedSearch([LEAVE]), **more)


async def test_in_strict_a_sentence_that_no_source_supports_is_never_sent(database: Database) -> None:
    one = _bench(database, SEARCH, DRAFT)
    await one.define(tools=TOOLS, grounding="strict")
    run = await one.run(LEAVE_QUESTION)
    assert (run.status, run.output) == ("completed", f"{SAID} [1]")
    assert run.answer is not None
    assert (run.answer.grounded, run.answer.answer_kind) == (True, "generated")
    (cited,) = run.answer.annotations
    assert (cited["document_id"], cited["quote"]) == (LEAVE.document_id, SAID)
    assert run.output[cited["index"] :].startswith(cited["marker"])
    events = await one.events(run)
    assert "yacht" not in "".join(event.model_dump_json() for event in events)
    assert "".join(event.data["text"] for event in events if event.type == "token") == run.output
    assert events[-1].data["answer"]["annotations"] == run.answer.annotations
    assert [said.content for said in await one.history(run.thread_id)][-1] == run.output


async def test_a_model_that_says_nothing_supported_leaves_the_answer_to_the_documents(database: Database) -> None:
    one = _bench(database, SEARCH, "The chairman gives every employee a yacht.")
    await one.define(tools=TOOLS, grounding="strict")
    run = await one.run(LEAVE_QUESTION)
    assert run.answer is not None
    assert run.answer.answer_kind == "extractive"
    assert "27 days" in (run.output or "")


async def test_a_model_that_answers_without_a_search_is_compared_with_documents_all_the_same(
    database: Database,
) -> None:
    one = _bench(database, DRAFT)
    await one.define(tools=TOOLS, grounding="strict")
    run = await one.run(LEAVE_QUESTION)
    assert run.output == f"{SAID} [1]"


async def test_in_annotate_all_is_said_and_what_a_source_supports_is_cited(database: Database) -> None:
    one = _bench(database, SEARCH, DRAFT)
    await one.define(tools=TOOLS)
    run = await one.run(LEAVE_QUESTION)
    assert run.output == f"{SAID} [1] The chairman also gives every employee a yacht."
    assert run.answer is not None
    assert (run.answer.grounded, len(run.answer.annotations)) == (False, 1)


async def test_what_only_other_tools_brought_is_not_compared_with_documents(database: Database) -> None:
    one = _bench(database, pay(3), "I have paid 3 euros to the landlord.", tools={"pay": Till()})
    await one.define(tools=[*TOOLS, "calculator"], grounding="strict")
    run = await one.run("Pay the landlord.")
    assert (run.output, run.answer) == ("I have paid 3 euros to the landlord.", None)


async def test_a_greeting_is_not_compared_with_documents(database: Database) -> None:
    one = _bench(database, "Hello!")
    await one.define(tools=TOOLS, grounding="strict")
    run = await one.run("Hi")
    assert (run.output, run.answer) == ("Hello!", None)


async def test_on_the_packaged_model_an_agent_that_reads_documents_answers_as_rag_does(database: Database) -> None:
    one = _bench(database, "Nobody asks me.")
    one.model.info = PACKAGED
    await one.define(tools=TOOLS)
    run = await one.run(LEAVE_QUESTION)
    assert (run.status, run.steps, run.tool_calls, one.model.requests) == ("completed", 1, 1, [])
    conversation = Conversation(collections=("handbook",), question=LEAVE_QUESTION, tenant="acme")
    asked = {"model": "rag:handbook", "messages": [{"role": "user", "content": LEAVE_QUESTION}]}
    request = ChatRequest.model_validate(asked)
    events = one.opened.answering.events(conversation, request, "token", "req_1")
    said = [event.text async for event in events if hasattr(event, "text")]
    assert run.output == "".join(said)
    assert run.answer is not None
    assert run.answer.annotations
    kinds = [event.type for event in await one.events(run)]
    assert [kind for kind in kinds if kind[:4] != "step"][2:] == ["tool_call", "tool_result", "token", "run.completed"]


async def test_a_run_killed_before_its_answer_was_compared_says_it_once_and_grounded(database: Database) -> None:
    clock = ManualClock()
    first = _bench(database, SEARCH, DRAFT, clock=clock)
    await first.define(tools=TOOLS, grounding="strict")
    run = await first.start(LEAVE_QUESTION)
    asked = asyncio.Event()

    async def never(*_: Any) -> Any:
        asked.set()
        await asyncio.Event().wait()

    first.search.search, searched = never, first.search.search  # type: ignore[method-assign]
    calls = 0

    async def second_hangs(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        return await (searched if calls == 1 else never)(*given)

    first.search.search = second_hangs  # type: ignore[method-assign]
    work = await first.queue.claim("first")
    assert work is not None
    task = asyncio.create_task(first.runner.run(work, first.stopping))
    await asked.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    clock.advance(31)
    second = _bench(database, SEARCH, DRAFT, clock=clock)
    assert await second.work()
    ended = await second.shown(run)
    assert ended.output == f"{SAID} [1]"
    assert second.model.requests == [], "what the model said is in the checkpoint"
    said = [event.data["text"] for event in await second.events(run) if event.type == "token"]
    assert said == [ended.output]


async def test_a_completion_has_the_citations_where_they_stand_in_all_that_it_says(database: Database) -> None:
    one = _bench(database, SEARCH, DRAFT)
    await one.define(tools=TOOLS)
    asked = {"model": "agent:helper", "messages": [{"role": "user", "content": LEAVE_QUESTION}]}
    run, agent = await run_completions.start(one.agents, VIEWER, PRINCIPAL, ChatRequest.model_validate(asked))
    working = asyncio.create_task(one.work())
    whole = await collect(run_completions.chunks(one.agents, run, agent, "agent:helper"))
    await working
    message = whole.choices[0].message
    assert message.content is not None
    assert message.content.startswith("I look for it.\n\n")
    (cited,) = message.annotations or []
    assert message.content[cited.index :].startswith("[1]")
    span = cited.url_citation
    assert message.content[span.start_index : span.end_index] == "[1]"


@pytest.mark.parametrize("tools", [["calculator"], [*TOOLS, "calculator"]])
async def test_an_agent_that_chooses_tools_does_not_run_on_a_model_that_is_too_small(
    database: Database, tools: list[Any]
) -> None:
    one = _bench(database, "Hello.")
    one.model.info = PACKAGED
    await one.define(tools=tools)
    run = await one.run()
    assert run.status == "failed"
    assert run.error is not None
    assert run.error.code == "model_too_weak"
    assert "groundwork model add" in run.error.message
    await one.define(tools=tools, allow_weak_model=True)
    assert (await one.run()).status == "completed"
