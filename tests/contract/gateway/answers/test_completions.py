"""`POST /v1/completions` by the official client, through gateway and inference."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from tests.support.gateway.running import RunningGateway
from tests.support.inference.real import running_with_inference

ASKED = "What is the capital of France?"
pytestmark = pytest.mark.asyncio(loop_scope="module")
TOLD = "The capital of France is Paris, on the Seine."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    async with running_with_inference(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def key(gateway: RunningGateway) -> dict[str, Any]:
    return await gateway.new_key()


@pytest_asyncio.fixture(loop_scope="module")
async def client(gateway: RunningGateway, key: dict[str, Any]) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=key["secret"], max_retries=0) as client:
        yield client


async def test_a_text_is_gone_on_from_and_billed_as_any_call(
    gateway: RunningGateway, client: AsyncOpenAI, key: dict[str, Any]
) -> None:
    answer = await client.completions.create(model="talker", prompt=ASKED)
    (choice,) = answer.choices
    assert (answer.object, answer.model, choice.text, choice.finish_reason) == (
        "text_completion",
        "talker",
        TOLD,
        "stop",
    )
    assert answer.id.startswith("cmpl-")
    assert answer.usage is not None
    (row,) = await gateway.usage_rows(1, key["id"])
    assert (row["model"], row["status"], row["estimated"]) == ("talker", 200, False)
    used = (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    assert (row["prompt_tokens"], row["completion_tokens"]) == used
    assert row["cost_nano_usd"] == 1000 * used[0] + 2000 * used[1]


async def test_an_answer_has_sixteen_tokens_unless_more_are_asked_for(client: AsyncOpenAI) -> None:
    answer = await client.completions.create(model="talker", prompt="count for ever")
    assert answer.usage is not None
    assert (answer.choices[0].finish_reason, answer.usage.completion_tokens) == ("length", 16)


async def test_a_stream_says_the_same_and_its_usage_to_who_asks(gateway: RunningGateway, client: AsyncOpenAI) -> None:
    for options, usages in ((None, 0), ({"include_usage": True}, 1)):
        stream = await client.completions.create(
            model="talker",
            prompt=ASKED,
            stream=True,
            stream_options=options,  # type: ignore[arg-type]
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == TOLD
        assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["stop"]
        assert sum(chunk.usage is not None for chunk in chunks) == usages
        assert {chunk.object for chunk in chunks} == {"text_completion"}


async def test_several_texts_are_answered_in_their_order(client: AsyncOpenAI) -> None:
    answer = await client.completions.create(model="talker", prompt=[ASKED, "Hello"], n=2, echo=True)
    texts = [choice.text for choice in answer.choices]
    assert texts == [ASKED + TOLD] * 2 + ["HelloYou said: Hello"] * 2
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]


async def test_log_probabilities_have_the_old_form(client: AsyncOpenAI) -> None:
    answer = await client.completions.create(model="talker", prompt=ASKED, logprobs=1)
    told = answer.choices[0].logprobs
    assert told is not None
    assert "".join(told.tokens or ()) == TOLD
    assert len(told.token_logprobs or ()) == len(told.top_logprobs or ()) == len(told.text_offset or ())


async def test_guardrails_limits_and_the_cache_hold_as_for_chats(gateway: RunningGateway) -> None:
    key = await gateway.new_key(guardrails={"input": {"secrets": "block"}, "output": {"pii": "redact"}})
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=key["secret"], max_retries=0) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            await client.completions.create(model="talker", prompt=["fine", "AKIA" + "A" * 16])
        assert refused.value.code == "content_blocked"
        masked = "Write to " + "*" * len("ada@example.org") + ", please."
        whole = await client.completions.create(model="talker", prompt="Whom do I mail?")
        assert whole.choices[0].text == masked
        stream = await client.completions.create(model="talker", prompt="Whom do I mail?", stream=True)
        assert "".join([choice.text async for chunk in stream for choice in chunk.choices]) == masked
    narrow = await gateway.new_key(models=["clerk"])
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=narrow["secret"], max_retries=0) as client:
        with pytest.raises(openai.NotFoundError):
            await client.completions.create(model="talker", prompt=ASKED)


async def test_a_route_falls_back_from_a_context_that_is_too_short(gateway: RunningGateway) -> None:
    spec = {"targets": [{"model": "clerk"}], "on_context_overflow": ["talker"]}
    assert (await gateway.call("PUT", "/v1/routes/texts", json=spec)).status == 200
    body = {"model": "texts", "prompt": f"{'word ' * 200}{ASKED}"}
    answer = await gateway.call("POST", "/v1/completions", json=body)
    assert (answer.status, answer.headers["X-Groundwork-Model"]) == (200, "talker")
    assert (await answer.json())["choices"][0]["text"] == TOLD


@pytest.mark.parametrize("model", ["rag:handbook", "agent:helper"])
async def test_what_answers_conversations_is_refused_with_where_to_ask(client: AsyncOpenAI, model: str) -> None:
    with pytest.raises(openai.BadRequestError, match="Did you mean to use v1/chat/completions") as refused:
        await client.completions.create(model=model, prompt=ASKED)
    assert refused.value.param == "model"


async def _tokens(gateway: RunningGateway, text: str) -> list[int]:
    answer = await gateway.call("POST", "/v1/tokenize", json={"model": "talker", "prompt": text})
    tokens: list[int] = (await answer.json())["tokens"]
    return tokens


@pytest.mark.parametrize("stream", [False, True])
async def test_token_ids_are_gone_on_from_as_their_text_is(
    gateway: RunningGateway, client: AsyncOpenAI, key: dict[str, Any], stream: bool
) -> None:
    ids = await _tokens(gateway, "What is the capital of France?")
    if stream:
        chunks = await client.completions.create(model="talker", prompt=ids, stream=True)
        assert "".join([choice.text async for chunk in chunks for choice in chunk.choices]) == TOLD
    else:
        answer = await client.completions.create(model="talker", prompt=[ids, ids[:1]], echo=True)
        assert answer.choices[0].text.endswith(TOLD)
        assert answer.choices[1].text == "WhatYou said: What"
    (row,) = await gateway.usage_rows(1, key["id"])
    assert (row["model"], row["status"], row["prompt_tokens"] > 0) == ("talker", 200, True)


async def test_guardrails_read_the_text_of_token_ids(gateway: RunningGateway) -> None:
    ids = await _tokens(gateway, "What is the capital of France?")
    key = await gateway.new_key(guardrails={"max_input_chars": 10})
    answer = await gateway.call("POST", "/v1/completions", key["secret"], json={"model": "talker", "prompt": ids})
    assert (answer.status, (await answer.json())["error"]["code"]) == (400, "input_too_long")


async def test_token_ids_of_another_tokenizer_are_refused_with_what_to_send(
    gateway: RunningGateway, client: AsyncOpenAI, key: dict[str, Any]
) -> None:
    for prompt in ([99_999, 1], [0, 1]):
        with pytest.raises(openai.BadRequestError, match="tokenized_requests=False") as refused:
            await client.completions.create(model="talker", prompt=prompt)
        assert (refused.value.code, refused.value.param) == ("token_ids_foreign", "prompt")
    rows = await gateway.usage_rows(2, key["id"])
    assert [(row["status"], row["cost_nano_usd"]) for row in rows] == [(400, 0)] * 2


@pytest.mark.parametrize(
    ("more", "status", "param"),
    [
        ({"suffix": "x"}, 400, "suffix"),
        ({"best_of": 4}, 400, "best_of"),
        ({"echo": True, "logprobs": 1}, 400, "echo"),
        ({"messages": []}, 400, "messages"),
        ({"raw_prompts": True}, 400, "raw_prompts"),
        ({"prompt": ""}, 422, "prompt"),
        ({"prompt": []}, 422, "prompt"),
    ],
)
async def test_what_can_not_be_done_is_refused_by_name(
    gateway: RunningGateway, more: dict[str, Any], status: int, param: str
) -> None:
    answer = await gateway.call("POST", "/v1/completions", json={"model": "talker", "prompt": "x", **more})
    assert (answer.status, (await answer.json())["error"]["param"]) == (status, param)


async def test_a_chat_can_not_be_made_a_completion_from_outside(gateway: RunningGateway) -> None:
    body = {"model": "talker", "messages": [{"role": "user", "content": "x"}], "raw_prompts": True}
    answer = await gateway.call("POST", "/v1/chat/completions", json=body)
    assert (answer.status, (await answer.json())["error"]["param"]) == (400, "raw_prompts")
