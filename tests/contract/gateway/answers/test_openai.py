"""The official OpenAI client against the real gateway, in front of scripted services."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from tests.support.gateway.running import RunningGateway, running_gateway

HELLO: Any = [{"role": "user", "content": "hello"}]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running_gateway(tmp_path) as running:
        yield running


@pytest.fixture
async def client(gateway: RunningGateway) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.admin_key, max_retries=0) as client:
        yield client


async def test_models_are_the_plain_ones_and_a_rag_model_for_each_collection(
    gateway: RunningGateway, client: AsyncOpenAI
) -> None:
    kinds = {model.id: model.model_dump()["kind"] for model in (await client.models.list()).data}
    assert kinds["echo"] == "chat"
    assert kinds["mini"] == "embedding"
    assert {name for name, kind in kinds.items() if kind == "rag"} == {"rag:handbook", "rag:papers", "rag:secret"}


async def test_a_key_lists_only_the_models_and_collections_it_may_use(gateway: RunningGateway) -> None:
    key = await gateway.new_key(models=["echo"], collections=["papers"])
    answer = await gateway.call("GET", "/v1/models", key["secret"])
    assert [model["id"] for model in (await answer.json())["data"]] == ["rag:papers", "echo"]
    elsewhere = await gateway.new_key(tenant="elsewhere")
    answer = await gateway.call("GET", "/v1/models", elsewhere["secret"])
    rag = [model["id"] for model in (await answer.json())["data"] if model["kind"] == "rag"]
    assert rag == ["rag:theirs"]


async def test_a_whole_answer_passes_untouched_and_is_billed(gateway: RunningGateway, client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(
        model="default", messages=HELLO, seed=7, extra_body={"min_p": 0.1}, extra_headers={"X-Request-Id": "mine-1"}
    )
    assert answer.choices[0].message.content == "Hello there"
    assert answer.choices[0].message.model_dump()["x_extra"] == 1
    sent = gateway.seen.last("inference")
    assert (sent["body"]["model"], sent["body"]["seed"], sent["body"]["min_p"]) == ("echo", 7, 0.1)
    assert sent["headers"]["x-request-id"] == "mine-1"
    assert sent["delegation"].audiences == ("inference",)
    (row,) = await gateway.usage_rows(1)
    assert (row["request_id"], row["key_id"], row["tenant"]) == ("mine-1", "key_admin", "default")
    assert (row["prompt_tokens"], row["completion_tokens"], row["cost_nano_usd"]) == (100, 10, 120_000)
    assert (row["status"], row["error_type"], row["estimated"]) == (200, None, False)


@pytest.mark.parametrize("stream", [False, True])
async def test_what_a_plain_model_is_asked_for_reaches_it_as_it_came(
    gateway: RunningGateway, client: AsyncOpenAI, stream: bool
) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}, "required": ["age"]}
    asked: Any = {
        "tools": [{"type": "function", "function": {"name": "look", "parameters": schema, "strict": True}}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": False,
        "response_format": {"type": "json_schema", "json_schema": {"name": "it", "schema": schema, "strict": True}},
        "logprobs": True,
        "top_logprobs": 3,
        "n": 2,
        "stop": ["\n"],
        "seed": 7,
        "logit_bias": {"11": -100},
        "frequency_penalty": 0.5,
        "max_completion_tokens": 9,
    }
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    messages: Any = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "done"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,", "detail": "low"}}]},
    ]
    await client.chat.completions.create(model="echo", messages=messages, stream=stream, **asked)
    sent = gateway.seen.last("inference")["body"]
    assert {key: sent[key] for key in asked} == asked
    assert sent["messages"] == messages


async def test_a_stream_passes_and_is_billed_by_the_usage_that_the_client_did_not_ask_for(
    gateway: RunningGateway, client: AsyncOpenAI
) -> None:
    stream = await client.chat.completions.create(model="echo", messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello"
    assert all(chunk.usage is None for chunk in chunks)
    (row,) = await gateway.usage_rows(1)
    assert (row["streamed"], row["prompt_tokens"], row["completion_tokens"]) == (True, 100, 10)


async def test_a_stream_shows_its_usage_to_a_client_that_asked(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="echo", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    usages = [chunk.usage async for chunk in stream if chunk.usage]
    assert [usage.total_tokens for usage in usages] == [110]


async def test_a_model_without_a_price_costs_null_and_not_zero(gateway: RunningGateway, client: AsyncOpenAI) -> None:
    await client.chat.completions.create(model="free", messages=HELLO)
    (row,) = await gateway.usage_rows(1)
    assert row["cost_nano_usd"] is None
    answer = await gateway.call("GET", "/v1/usage?group_by=model")
    (shown,) = (await answer.json())["data"]
    assert (shown["group"], shown["cost_usd"], shown["unpriced_requests"]) == ("free", None, 1)


@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_embeddings_come_in_both_encodings(gateway: RunningGateway, client: AsyncOpenAI, encoding: Any) -> None:
    answer = await client.embeddings.create(model="default", input=["a", "b"], encoding_format=encoding)
    assert len(answer.data) == 2
    sent = gateway.seen.last("inference")["body"]
    assert (sent["model"], sent["priority"]) == ("mini", "query")
    (row,) = await gateway.usage_rows(1)
    assert (row["route"], row["embedding_tokens"], row["cost_nano_usd"]) == ("embeddings", 10, 10_000)


async def test_the_public_cannot_choose_a_priority(gateway: RunningGateway) -> None:
    await gateway.call("POST", "/v1/embeddings", json={"input": "a", "priority": "bulk"})
    assert gateway.seen.last("inference")["body"]["priority"] == "query"


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_from_documents_has_annotations_and_a_receipt_with_the_whole_cost(
    gateway: RunningGateway, client: AsyncOpenAI, streamed: bool
) -> None:
    options: Any = {"model": "rag:handbook", "messages": HELLO, "extra_body": {"groundwork": {"include": ["receipt"]}}}
    if streamed:
        chunks = [c.model_dump() async for c in await client.chat.completions.create(**options, stream=True)]
        annotations = next(c["choices"][0]["delta"].get("annotations") for c in chunks)
        report = next(c["groundwork"] for c in chunks if c.get("groundwork"))
    else:
        answer = (await client.chat.completions.create(**options)).model_dump()
        annotations, report = answer["choices"][0]["message"]["annotations"], answer["groundwork"]
    assert annotations[0]["quote"] == "the quote"
    rows = await gateway.usage_rows(4)
    outer = next(row for row in rows if row["parent_id"] is None)
    inside = [row for row in rows if row["parent_id"] == outer["id"]]
    assert {row["route"] for row in inside} == {"chat", "embeddings", "search"}
    assert (outer["model"], outer["prompt_tokens"], outer["embedding_tokens"]) == ("rag:handbook", 0, 0)
    total = sum(row["cost_nano_usd"] for row in rows)
    assert total == 120_000 + 10_000 + 3_000
    assert Decimal(report["receipt"]["cost_usd"]) == Decimal(total).scaleb(-9)
    assert gateway.seen.last("agent")["delegation"].audiences == ("agent", "retriever", "inference", "models")


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_receipt_and_the_usage_hold_what_a_draft_used_that_was_cut_and_that_is_no_error(
    gateway: RunningGateway, streamed: bool
) -> None:
    body = {"model": "rag:handbook", "messages": HELLO, "groundwork": {"model": "slow", "include": ["receipt"]}}
    if streamed:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    text = await (await gateway.call("POST", "/v1/chat/completions", json=body)).text()
    parts = [json.loads(line) for line in text.replace("data: ", "").splitlines() if line.startswith("{")]
    receipt = next(part["groundwork"]["receipt"] for part in parts if part.get("groundwork"))
    rows = await gateway.usage_rows(5)
    chats = [row for row in rows if row["route"] == "chat" and row["parent_id"]]
    assert [(one["model"], one["outcome"]) for one in receipt["attempts"]] == [("slow", "cut"), ("echo", "ok")]
    cut = next(row for row in chats if row["model"] == "slow")
    assert (cut["status"], cut["error_type"], cut["estimated"]) == (200, "cut", True)
    assert cut["cost_nano_usd"] > 0
    told = {kind: sum(row[f"{kind}_tokens"] for row in chats) for kind in ("prompt", "completion")}
    assert {kind: receipt["tokens"][kind] for kind in told} == told
    assert receipt["tokens"]["embedding"] == sum(row["embedding_tokens"] for row in rows) == 13
    assert Decimal(receipt["cost_usd"]) == Decimal(sum(row["cost_nano_usd"] for row in rows)).scaleb(-9)
    usage = next((part["usage"] for part in parts if part.get("usage")), None)
    assert streamed or usage is not None
    if usage is not None:
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (told["prompt"], told["completion"])
    for group in ("model", "tenant"):
        report = (await (await gateway.call("GET", f"/v1/usage?group_by={group}")).json())["data"]
        assert sum(row["errors"] for row in report) == 0
        assert sum(row["cut_requests"] for row in report) == 1


async def test_a_receipt_with_an_unknown_price_inside_says_null(client: AsyncOpenAI) -> None:
    options: Any = {"groundwork": {"include": ["receipt"], "model": "free"}}
    answer = await client.chat.completions.create(model="rag:handbook", messages=HELLO, extra_body=options)
    assert answer.model_dump()["groundwork"]["receipt"]["cost_usd"] is None


async def test_a_receipt_comes_only_to_those_who_asked(client: AsyncOpenAI) -> None:
    answer = (await client.chat.completions.create(model="rag:handbook", messages=HELLO)).model_dump()
    assert answer["groundwork"]["grounded"] is True
    assert "receipt" not in answer["groundwork"]


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("nope", "model_not_found"),
        ("rag:Not_A_Name", "model_not_found"),
        ("rag:secret", "model_not_found"),
        ("rag:", "model_not_found"),
    ],
)
async def test_a_model_that_a_key_cannot_use_is_not_found(gateway: RunningGateway, model: str, code: str) -> None:
    key = await gateway.new_key(collections=["handbook"])
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=key["secret"], max_retries=0) as client:
        with pytest.raises(openai.NotFoundError) as refused:
            await client.chat.completions.create(model=model, messages=HELLO)
    assert refused.value.code == code


async def test_rerank_without_a_reranker_says_so(gateway: RunningGateway) -> None:
    answer = await gateway.call("POST", "/v1/rerank", json={"query": "q", "documents": ["a"]})
    error = (await answer.json())["error"]
    assert (answer.status, error["code"], error["type"]) == (404, "no_reranker", "not_found")
    assert "configured" in error["message"]


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
async def test_rerank_is_passed_on_and_billed(tmp_path: Path, path: str) -> None:
    async with running_gateway(tmp_path, reranker=True) as gateway:
        body = {"query": "q", "documents": ["a", {"text": "b", "id": 7}], "return_documents": True}
        answer = await gateway.call("POST", path, json=body)
        sent = gateway.seen.last("inference")["body"]
        assert (sent["documents"], sent["return_documents"]) == (["a", "b"], True)
        assert (await answer.json())["results"] == [{"index": 1, "relevance_score": 0.9}]
        (row,) = await gateway.usage_rows(1)
        assert (row["model"], row["prompt_tokens"], row["cost_nano_usd"]) == ("judge", 40, 40_000)


@pytest.mark.parametrize("query", ["plain", "tricky"])
async def test_search_goes_to_the_retriever_and_is_billed_by_what_it_reports(
    gateway: RunningGateway, query: str
) -> None:
    answer = await gateway.call("POST", "/v1/collections/handbook/search", json={"query": query, "limit": 3})
    assert (await answer.json())["collection_revision"] == 4
    sent = gateway.seen.last("retriever")
    assert sent["body"] == {"query": query, "limit": 3, "collections": ["handbook"]}
    assert sent["delegation"].audiences == ("retriever", "inference")
    (row,) = await gateway.usage_rows(1)
    assert (row["model"], row["embedding_tokens"], row["cost_nano_usd"]) == ("mini", 3, 3_000)


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        (b"{not json", 422, "malformed_json", None),
        (b"", 422, "malformed_json", None),
        (b'{"model": "echo"}', 422, "invalid_body", "messages"),
        (b'{"model": "echo", "messages": []}', 422, "invalid_body", "messages"),
        (b'{"model":"echo","messages":[{"role":"x","content":"a"}]}', 422, "invalid_body", "messages.0.role"),
        (
            b'{"model":"echo","messages":[{"role":"user","content":"a"}],"groundwork":{}}',
            400,
            "options_need_documents",
            "groundwork",
        ),
        (
            b'{"model":"rag:handbook","messages":[{"role":"user","content":"a"}],"groundwork":{"topk":3}}',
            422,
            "invalid_body",
            "groundwork.topk",
        ),
    ],
)
async def test_a_bad_body_is_answered_with_what_is_wrong_and_where(
    gateway: RunningGateway, body: bytes, status: int, code: str, param: str | None
) -> None:
    answer = await gateway.call("POST", "/v1/chat/completions", data=body)
    error = (await answer.json())["error"]
    assert (answer.status, error["code"], error["param"]) == (status, code, param)
    assert error["request_id"] == answer.headers["X-Request-Id"]


async def test_a_full_queue_behind_the_gateway_is_429_with_retry_after(
    gateway: RunningGateway, client: AsyncOpenAI
) -> None:
    with pytest.raises(openai.RateLimitError) as refused:
        await client.chat.completions.create(model="full", messages=HELLO)
    assert refused.value.response.headers["retry-after"] == "7"
    (row,) = await gateway.usage_rows(1)
    assert (row["status"], row["error_type"], row["cost_nano_usd"]) == (429, "overloaded", 0)
