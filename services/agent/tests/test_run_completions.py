from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agent import run_completions
from agent.adapters.scripted_agents import ScriptedAgent, Turn, in_turn, turn_chunks
from agent.errors import CompletionTooSlow
from agent.routes.chat import _with_silences
from agent.settings import AgentSettings
from contracts.chat import ChatCompletionChunk, ChatRequest
from contracts.runs import Run
from servicekit.clock import ManualClock
from servicekit.sql import Database

from .runs_bench import MANDATE, VIEWER, Bench

DEADLINE = 10.0


class NeverDone(ScriptedAgent):
    """A model that says its words and then holds its answer open."""

    @asynccontextmanager
    async def chat(self, request: ChatRequest, token: str) -> AsyncIterator[AsyncIterator[ChatCompletionChunk]]:
        async def words() -> AsyncIterator[ChatCompletionChunk]:
            for chunk in turn_chunks(Turn("Hello there."), request.model)[:2]:
                yield chunk
            await asyncio.Event().wait()

        yield words()


async def _completion(database: Database, seconds: float) -> tuple[Bench, Run, AsyncGenerator[ChatCompletionChunk]]:
    settings = AgentSettings(completion_seconds=seconds, run_poll_seconds=0.05)
    one = Bench(database, NeverDone(in_turn("Hello there.")), ManualClock(), settings=settings)
    await one.define()
    asked = {"model": "agent:helper", "messages": [{"role": "user", "content": "Hello?"}]}
    run, agent = await run_completions.start(one.agents, VIEWER, MANDATE, ChatRequest.model_validate(asked))
    return one, run, run_completions.chunks(one.agents, run, agent, "agent:helper")


def _said(chunk: ChatCompletionChunk | None) -> str:
    return "".join(choice.delta.content or "" for choice in chunk.choices) if chunk else ""


async def test_a_streamed_completion_waits_no_longer_than_it_may_also_once_words_were_sent(database: Database) -> None:
    one, run, stream = await _completion(database, 4.0)
    working = asyncio.create_task(one.work())
    said = ""
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(CompletionTooSlow):
            async for chunk in _with_silences(stream, 60):
                said += _said(chunk)
        await working
    assert said == "Hello there."
    assert (await one.shown(run)).status == "cancelled"


async def test_the_time_limit_of_a_completion_does_not_break_off_who_reads_it(database: Database) -> None:
    one, run, stream = await _completion(database, 2.0)
    working = asyncio.create_task(one.work())
    later = asyncio.Event()
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(CompletionTooSlow):
            async for chunk in stream:
                if _said(chunk) and not later.is_set():
                    asyncio.get_running_loop().call_later(2.1, later.set)
                    await later.wait()  # the reader takes longer over one chunk than the whole may take
        await working
    assert later.is_set()
    assert (await one.shown(run)).status == "cancelled"
