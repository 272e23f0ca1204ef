from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from services.agent.tests.api.client import Api, error, events_of
from services.agent.tests.conftest import LEAVE_QUESTION

from agent.api.chat import KEEPALIVE, _sse, _with_silences
from agent.testing.scripted_agents import in_turn
from contracts.models.chat import AssistantMessage, ChatCompletionChunk, ChatUsage, ChunkChoice
from servicekit.core.errors import RateLimited, ServiceError, UpstreamFailed
from servicekit.jobs.worker import run_worker

CALL = "/v1/chat/completions"
RIGHT = "Full-time employees get 27 days of paid leave per year."
DEADLINE = 60.0


def asked(model: str, text: str = LEAVE_QUESTION, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def chunk(text: str) -> ChatCompletionChunk:
    choice = ChunkChoice(delta=AssistantMessage(content=text))
    return ChatCompletionChunk(id="c", created=0, model="m", choices=[choice])


USAGE = ChatCompletionChunk(id="c", created=0, model="m", choices=[], usage=ChatUsage(total_tokens=7))


async def stream_of(*parts: ChatCompletionChunk | Exception) -> AsyncGenerator[ChatCompletionChunk]:
    for part in parts:
        if isinstance(part, Exception):
            raise part
        yield part


async def sent(*parts: ChatCompletionChunk | Exception, usage: bool = False) -> str:
    pieces = [piece async for piece in _sse(chunk("first"), stream_of(*parts), usage, DEADLINE, "req_1")]
    return b"".join(pieces).decode()


async def test_an_answer_from_documents_is_the_same_whole_and_streamed(api: Api) -> None:
    api.bench.model.script = in_turn(RIGHT)
    whole = (await api.call("POST", CALL, asked("rag:handbook"))).json()
    streamed = events_of((await api.call("POST", CALL, asked("rag:handbook", stream=True))).text)
    words = [choice["delta"].get("content") or "" for *_, data in streamed for choice in data["choices"]]
    assert "".join(words) == whole["choices"][0]["message"]["content"]
    assert whole["choices"][0]["message"]["content"].startswith(RIGHT)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "claims", "refused"),
    [
        ("rag:handbook", {"scopes": ("agents",)}, (403, "missing_scope")),
        ("rag:secret", {"collections": ("handbook",)}, (403, "collection_not_allowed")),
        ("agent:helper", {"scopes": ("chat",)}, (403, "missing_scope")),
        ("agent:helper", {"headers": {"Groundwork-Grant": ""}}, (400, "grant_missing")),
        ("agent:none", {}, (404, "agent_not_found")),
        ("agent:A B", {}, (404, "model_not_found")),
        ("gpt", {}, (404, "model_not_found")),
    ],
)
async def test_what_is_refused_before_the_first_word_has_its_status_streamed_or_not(
    api: Api, model: str, claims: dict[str, Any], refused: tuple[int, str], stream: bool
) -> None:
    await api.bench.define()
    assert error(await api.call("POST", CALL, asked(model, stream=stream), **claims)) == refused


@pytest.mark.parametrize("stream", [False, True])
async def test_a_search_that_fails_has_its_status_and_says_when_to_come_back(api: Api, stream: bool) -> None:
    api.bench.search.failure = RateLimited("Too many requests.", retry_after=7)
    answer = await api.call("POST", CALL, asked("rag:handbook", stream=stream))
    assert (error(answer), answer.headers["retry-after"]) == ((429, "rate_limited"), "7")


async def test_an_agent_s_run_is_one_completion_that_says_which_tools_it_did_not_use(api: Api) -> None:
    await api.bench.define()
    tool = {"type": "function", "function": {"name": "weather"}}
    async with asyncio.timeout(DEADLINE), run_worker(api.bench.agents.worker, DEADLINE):
        answer = (await api.call("POST", CALL, asked("agent:helper", "Do it.", tools=[tool]))).json()
    assert answer["choices"][0]["message"]["content"] == "Done."
    report = answer["groundwork"]
    assert (report["agent"], report["status"], report["degraded"]) == ("helper", "completed", ["tools_ignored"])


async def test_usage_is_streamed_only_when_asked_for_and_the_end_is_said() -> None:
    without, with_it = await sent(chunk(" more"), USAGE), await sent(chunk(" more"), USAGE, usage=True)
    assert ('"total_tokens":7' in without, '"total_tokens":7' in with_it) == (False, True)
    for text in (without, with_it):
        assert text.endswith("data: [DONE]\n\n")
        assert "🙂" in await sent(chunk("🙂")), "words are not escaped"


@pytest.mark.parametrize(
    ("failure", "code"), [(UpstreamFailed("It broke."), "upstream_error"), (RuntimeError("row 4711"), "internal")]
)
async def test_what_fails_after_the_first_word_is_one_last_event_that_gives_nothing_away(
    failure: Exception, code: str
) -> None:
    text = await sent(chunk(" more"), failure)
    (_, name, data) = events_of(text)[-1]
    assert (name, data["error"]["code"], data["error"]["request_id"]) == ("error", code, "req_1")
    assert "[DONE]" not in text
    assert "4711" not in text
    assert isinstance(failure, ServiceError) == ("It broke." in text)


async def test_a_reader_that_leaves_closes_the_answer() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[ChatCompletionChunk]:
        try:
            yield chunk(" more")
            await asyncio.Event().wait()
        finally:
            closed.set()

    reading = _sse(chunk("first"), endless(), False, DEADLINE, "req_1")
    await anext(reading)
    await anext(reading)
    await reading.aclose()
    assert closed.is_set()


async def test_a_reader_that_leaves_in_a_silence_closes_the_answer_too() -> None:
    closed = asyncio.Event()

    async def silent() -> AsyncGenerator[ChatCompletionChunk]:
        try:
            await asyncio.Event().wait()
            yield chunk("never")
        finally:
            closed.set()

    reading = _sse(chunk("first"), silent(), False, 0.001, "req_1")
    assert [await anext(reading), await anext(reading)][1] == KEEPALIVE
    await reading.aclose()
    assert closed.is_set()


async def test_a_silence_is_said_and_loses_no_word() -> None:
    may_speak = asyncio.Event()

    async def slow() -> AsyncGenerator[ChatCompletionChunk]:
        await may_speak.wait()
        yield chunk("late")

    heard = _with_silences(slow(), 0.001)
    async with asyncio.timeout(DEADLINE):
        assert [await anext(heard), await anext(heard)] == [None, None]
        may_speak.set()
        rest = [one async for one in heard if one is not None]
    assert rest == [chunk("late")]
