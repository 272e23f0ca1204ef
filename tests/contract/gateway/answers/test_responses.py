"""`POST /v1/responses` by the official client, through gateway and inference: whole, streamed, parsed, with tools."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from pydantic import BaseModel
from tests.support.gateway.running import RunningGateway
from tests.support.inference.real import MODELS, TALKER, running_with_inference

ASKED = "What is the capital of France?"
pytestmark = pytest.mark.asyncio(loop_scope="module")
TOLD = "The capital of France is Paris, on the Seine."
WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


PAUSING: Any = {**TALKER, "name": "pausing", "default": False, "source": {**TALKER["source"], "pace_seconds": 0.5}}
"""Whose words arrive one by one, however busy the machine is."""


class City(BaseModel):
    name: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    async with running_with_inference(tmp_path_factory.mktemp("gateway"), (*MODELS, PAUSING)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def key(gateway: RunningGateway) -> dict[str, Any]:
    return await gateway.new_key()


@pytest_asyncio.fixture(loop_scope="module")
async def client(gateway: RunningGateway, key: dict[str, Any]) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=key["secret"], max_retries=0) as client:
        yield client


async def test_a_response_is_billed_as_a_chat_whole_and_streamed(
    gateway: RunningGateway, client: AsyncOpenAI, key: dict[str, Any]
) -> None:
    answer = await client.responses.create(model="talker", input=ASKED, instructions="Be short.")
    assert (answer.status, answer.output_text, answer.store) == ("completed", TOLD, False)
    assert answer.usage is not None
    async with client.responses.stream(model="talker", input=ASKED, temperature=0.5) as stream:
        kinds = [event.type async for event in stream]
        last = await stream.get_final_response()
    assert (last.output_text, kinds[0], kinds[-1]) == (TOLD, "response.created", "response.completed")
    rows = await gateway.usage_rows(2, key["id"])
    assert [row["streamed"] for row in rows] == [False, True]
    assert rows[0]["prompt_tokens"] == answer.usage.input_tokens
    assert all(row["completion_tokens"] == answer.usage.output_tokens for row in rows)
    assert last.usage is not None
    assert last.usage.output_tokens == answer.usage.output_tokens


async def test_tools_are_called_and_their_results_read(client: AsyncOpenAI) -> None:
    asked: Any = [{"role": "user", "content": "How is the weather?"}]
    answer = await client.responses.create(model="talker", input=asked, tools=[WEATHER], tool_choice="required")
    (call,) = answer.output
    assert call.type == "function_call"
    assert (call.name, call.arguments) == ("weather", '{"city": "Paris"}')
    items = [*asked, call.model_dump(), {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]
    answer = await client.responses.create(model="talker", input=items)
    assert answer.output_text == "It is sunny in Paris."
    stream = await client.responses.create(model="talker", input=asked, tools=[WEATHER], stream=True)
    done = [event async for event in stream if event.type == "response.function_call_arguments.done"]
    assert [event.arguments for event in done] == ['{"city": "Paris"}']


async def test_an_answer_has_the_form_that_was_asked_for(client: AsyncOpenAI) -> None:
    answer = await client.responses.parse(model="talker", input="A city, please.", text_format=City)
    assert isinstance(answer.output_parsed, City)


async def test_tools_that_can_not_be_served_are_left_out_and_named(client: AsyncOpenAI) -> None:
    inner: Any = {"type": "namespace", "name": "far", "tools": [WEATHER]}
    raw = await client.responses.with_raw_response.create(
        model="talker", input="How is the weather?", tools=[{"type": "web_search"}, inner], tool_choice="required"
    )
    assert raw.headers["x-groundwork-degraded"] == "tool_ignored:web_search"
    answer = raw.parse()
    assert answer.model_dump()["groundwork"] == {"degraded": ["tool_ignored:web_search"]}
    (call,) = answer.model_dump()["output"]
    assert (call["type"], call["namespace"], call["name"]) == ("function_call", "far", "weather")
    tools: Any = [{"type": "code_interpreter"}]
    chat = await client.chat.completions.with_raw_response.create(
        model="talker", messages=[{"role": "user", "content": ASKED}], tools=tools, tool_choice="required"
    )
    assert chat.headers["x-groundwork-degraded"] == "tool_ignored:code_interpreter"
    assert chat.parse().choices[0].message.content == TOLD


@pytest.mark.parametrize("stream", [False, True])
async def test_file_search_of_a_plain_model_answers_from_the_collection(client: AsyncOpenAI, stream: bool) -> None:
    asked: Any = {
        "model": "talker", "input": ASKED, "tools": [{"type": "file_search", "vector_store_ids": ["handbook"]}]
    }  # fmt: skip
    if stream:
        events = [event async for event in await client.responses.create(**asked, stream=True)]
        answer = next(event.response for event in events if event.type == "response.completed")
        assert [event.type for event in events].count("response.file_search_call.completed") == 1
    else:
        answer = await client.responses.create(**asked)
    search, message = answer.output
    assert search.type == "file_search_call"
    assert (search.queries, answer.model, answer.output_text) == ([ASKED], "talker", "Yes. [1]")
    assert message.type == "message"
    with pytest.raises(openai.BadRequestError, match="names of collections"):
        await client.responses.create(
            model="talker", input="x", tools=[{"type": "file_search", "vector_store_ids": []}]
        )


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_from_documents_cites_files_and_says_its_report(
    gateway: RunningGateway, client: AsyncOpenAI, key: dict[str, Any], stream: bool
) -> None:
    asked: Any = {"model": "rag:handbook", "input": ASKED, "extra_body": {"groundwork": {"include": ["receipt"]}}}
    if stream:
        events = [event async for event in await client.responses.create(**asked, stream=True)]
        answer = next(event.response for event in events if event.type == "response.completed")
        assert [event.type for event in events].count("response.output_text.annotation.added") == 1
    else:
        answer = await client.responses.create(**asked)
    assert answer.output_text == "Yes. [1]"
    (message,) = answer.model_dump()["output"]
    (cited,) = message["content"][0]["annotations"]
    assert (cited["type"], cited["index"], cited["marker"], cited["quote"]) == ("file_citation", 5, "[1]", "the quote")
    report = answer.model_dump()["groundwork"]
    assert (report["grounded"], report["receipt"]["request_id"]) == (True, "r")
    rows = await gateway.usage_rows(4, key["id"])  # a search, two calls of models, and the answer around them
    assert sorted(row["parent_id"] is None for row in rows) == [False, False, False, True]


async def test_guardrails_and_the_cache_hold_as_for_chats(gateway: RunningGateway) -> None:
    key = await gateway.new_key(guardrails={"input": {"secrets": "block"}, "output": {"pii": "redact"}})
    masked = "Write to " + "*" * len("ada@example.org") + ", please."
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=key["secret"], max_retries=0) as client:
        secret: Any = [{"type": "function_call_output", "call_id": "c", "output": "AKIA" + "A" * 16}]
        with pytest.raises(openai.BadRequestError) as refused:
            await client.responses.create(model="talker", input=secret)
        assert refused.value.code == "content_blocked"
        assert (await client.responses.create(model="talker", input="Whom do I mail?")).output_text == masked
        async with client.responses.stream(model="talker", input="Whom do I mail?") as stream:
            told = "".join([event.delta async for event in stream if event.type == "response.output_text.delta"])
    assert told == masked


async def test_an_error_before_the_stream_is_a_status_and_one_within_it_raises(
    gateway: RunningGateway, client: AsyncOpenAI
) -> None:
    with pytest.raises(openai.BadRequestError, match=r"context_length_exceeded|4,?096"):
        await client.responses.create(model="talker", input="word " * 5000, stream=True)
    with pytest.raises(openai.NotFoundError):
        await client.responses.create(model="nobody", input="x", stream=True)
    key = await gateway.new_key(guardrails={"output": {"pii": "block"}})
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=key["secret"], max_retries=0) as blocked:
        stream = await blocked.responses.create(model="pausing", input="Whom do I mail?", stream=True)
        with pytest.raises(openai.APIError, match="may not receive"):
            async for event in stream:
                last = event
    assert last.type == "response.failed"
    assert last.response.status == "failed"


async def test_what_is_not_kept_is_not_found_and_what_needs_it_refused(client: AsyncOpenAI) -> None:
    for asking in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError, match="not kept"):
            await asking("resp_1")
    with pytest.raises(openai.BadRequestError, match="not kept") as refused:
        await client.responses.create(model="talker", input="x", previous_response_id="resp_1")
    assert refused.value.param == "previous_response_id"
    with pytest.raises(openai.BadRequestError, match="Unknown parameter: 'colour'"):
        await client.responses.create(model="talker", input="x", extra_body={"colour": "red"})
