"""The official OpenAI client against the service, and callers that leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import openai
import pytest
from pydantic import BaseModel
from tests.support.inference.running import Inference, running_inference


@pytest.fixture
async def inference(tmp_path: Path) -> AsyncIterator[Inference]:
    async with running_inference(tmp_path, chat_waiting=1) as service:
        yield service


@pytest.fixture
async def client(inference: Inference) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{inference.url}/v1", api_key=inference.token, max_retries=0) as client:
        yield client


PARIS: list[Any] = [{"role": "user", "content": "What is the capital of France?"}]
FOR_EVER = {"model": "talker", "messages": [{"role": "user", "content": "count for ever"}], "max_tokens": 200}


async def test_models_are_listed(client: openai.AsyncOpenAI) -> None:
    assert {model.id async for model in await client.models.list()} == {"talker", "words", "overlap"}


async def test_a_whole_answer(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="default", messages=PARIS)
    assert answer.choices[0].message.content == "The capital of France is Paris, on the Seine."
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_a_stream_with_usage(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="default", messages=PARIS, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "The capital of France is Paris, on the Seine."
    assert chunks[-1].usage is not None


async def test_the_clients_streaming_helper_assembles_the_answer(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.stream(model="default", messages=PARIS) as stream:
        completion = await stream.get_final_completion()
    assert completion.choices[0].message.content == "The capital of France is Paris, on the Seine."
    assert completion.choices[0].finish_reason == "stop"


async def test_embeddings_in_the_clients_own_encoding(client: openai.AsyncOpenAI) -> None:
    coded = await client.embeddings.create(model="default", input=["one", "two"])  # the client asks for base64
    plain = await client.embeddings.create(model="default", input=["one", "two"], encoding_format="float")
    for ours, theirs in zip(coded.data, plain.data, strict=True):
        np.testing.assert_allclose(ours.embedding, theirs.embedding, atol=1e-6)
    assert coded.usage.prompt_tokens == 2


async def test_errors_are_the_clients_own_exceptions(client: openai.AsyncOpenAI, inference: Inference) -> None:
    with pytest.raises(openai.NotFoundError, match="There is no chat model"):
        await client.chat.completions.create(model="nothing", messages=PARIS)
    with pytest.raises(openai.BadRequestError) as refused:
        await client.chat.completions.create(model="default", messages=PARIS, extra_body={"min_p": 1})
    assert refused.value.param == "min_p"
    stranger = openai.AsyncOpenAI(base_url=f"{inference.url}/v1", api_key="sk-x", max_retries=0)
    async with stranger:
        with pytest.raises(openai.AuthenticationError):
            await stranger.models.list()


async def until(inference: Inference, name: str, value: float) -> None:
    async with asyncio.timeout(60):
        while await inference.metric(name) != value:  # noqa: ASYNC110  # another process would poll, too
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_that_leaves_stops_the_model_and_frees_the_place(inference: Inference, stream: bool) -> None:
    gone = await inference.metric("groundwork_inference_abandoned_total")
    asking = asyncio.create_task(inference.post("/v1/chat/completions", FOR_EVER | {"stream": stream}).__aenter__())
    await until(inference, "groundwork_inference_running", 1)
    if stream:
        (await asking).close()
    else:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    await until(inference, "groundwork_inference_running", 0)
    await until(inference, "groundwork_inference_abandoned_total", gone + 1)


async def test_a_caller_that_leaves_while_waiting_in_line_leaves_no_trace(inference: Inference) -> None:
    first = asyncio.create_task(inference.post("/v1/chat/completions", FOR_EVER).__aenter__())
    await until(inference, "groundwork_inference_running", 1)
    second = asyncio.create_task(inference.post("/v1/chat/completions", FOR_EVER | {"stream": True}).__aenter__())
    await until(inference, "groundwork_inference_waiting", 1)
    second.cancel()
    await until(inference, "groundwork_inference_waiting", 0)
    first.cancel()
    await until(inference, "groundwork_inference_running", 0)


async def test_a_full_line_is_429_with_retry_after_also_for_streams(inference: Inference) -> None:
    waiting = [asyncio.create_task(inference.post("/v1/chat/completions", FOR_EVER).__aenter__()) for _ in range(2)]
    await until(inference, "groundwork_inference_waiting", 1)
    for stream in (False, True):
        async with inference.post("/v1/chat/completions", FOR_EVER | {"stream": stream}) as refused:
            assert refused.status == 429
            assert int(refused.headers["Retry-After"]) >= 1
            assert (await refused.json())["error"]["code"] == "queue_full"
    for task in waiting:
        task.cancel()
    await until(inference, "groundwork_inference_running", 0)


class Person(BaseModel):
    name: str
    age: int
    mood: Literal["calm", "cross"]


class GetWeather(BaseModel):
    """Weather now."""

    city: str


async def test_the_clients_structured_outputs_helper_parses_the_answer(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.parse(model="default", messages=PARIS, response_format=Person)
    assert isinstance(answer.choices[0].message.parsed, Person)
    async with client.chat.completions.stream(model="default", messages=PARIS, response_format=Person) as stream:
        completion = await stream.get_final_completion()
    assert completion.choices[0].message.parsed == answer.choices[0].message.parsed


async def test_the_clients_helpers_parse_tool_calls(client: openai.AsyncOpenAI) -> None:
    asked: Any = {
        "model": "default",
        "messages": PARIS,
        "tools": [openai.pydantic_function_tool(GetWeather)],
        "tool_choice": "required",
    }
    answer = await client.chat.completions.parse(**asked)
    async with client.chat.completions.stream(**asked) as stream:
        events = [event.type async for event in stream]
        completion = await stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in events
    for message in (answer.choices[0].message, completion.choices[0].message):
        (call,) = message.tool_calls or []
        assert isinstance(call.function.parsed_arguments, GetWeather)
        assert completion.choices[0].finish_reason == "tool_calls"


async def test_models_say_how_they_call_tools(client: openai.AsyncOpenAI) -> None:
    protocols = {model.id: model.model_dump()["tool_protocol"] async for model in await client.models.list()}
    assert protocols == {"talker": "constrained", "words": None, "overlap": None}
