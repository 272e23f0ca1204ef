"""Bad input to inference, in one table, before an engine and before a server: a clear error, and no slot that leaks."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from tests.support.inference.running import CHAT, EMBEDDING, RERANK, Inference, running_inference

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHATTING, VECTORS, RANKING = "/v1/chat/completions", "/v1/embeddings", "/v1/rerank"
READING_CALL, LABELLING = "/v1/reading", "/v1/classify"
COUNTED = ("running", "waiting", "waiting_tokens")
HELLO = [{"role": "user", "content": "Hello"}]
READER_SECONDS = 2.0
"""How long a client may take nothing of its answer."""


def tool(parameters: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "look", "parameters": parameters}}


def shape(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


@dataclass(frozen=True)
class Bad:
    """One bad call: what is sent (`fields` beside what is right), and what must come back."""

    name: str
    status: int
    param: str
    fields: dict[str, Any] = field(default_factory=dict)
    path: str = CHATTING
    code: str | None = None


TABLE = (
    Bad("prompt longer than the context", 400, "messages", {"messages": [{"role": "user", "content": "w " * 600}]},
        code="context_length_exceeded"),
    Bad("unknown model", 404, "model", {"model": "no-such"}, code="model_not_found"),
    Bad("unknown embedding model", 404, "model", {"model": "no-such", "input": "x"}, VECTORS, "model_not_found"),
    Bad("embedding of an empty text", 422, "input", {"input": ""}, VECTORS),
    Bad("embedding of an empty text among others", 422, "input", {"input": ["a", ""]}, VECTORS),
    Bad("embedding of nothing", 422, "input", {"input": []}, VECTORS),
    Bad("embedding of 10,000 texts", 422, "input", {"input": ["x"] * 10_000}, VECTORS),
    Bad("embedding in other dimensions", 400, "dimensions", {"input": "x", "dimensions": 7}, VECTORS),
    Bad("embedding in no encoding", 422, "encoding_format", {"input": "x", "encoding_format": "hex"}, VECTORS),
    Bad("rerank of nothing", 422, "documents", {"query": "q", "documents": []}, RANKING),
    Bad("rerank without a query", 422, "query", {"query": "", "documents": ["a"]}, RANKING),
    Bad("rerank of half a character", 422, "query", {"query": "\ud800", "documents": ["a"]}, RANKING),
    Bad("reading of nothing", 422, "", {}, READING_CALL),
    Bad("reading of an empty passage", 422, "passages.1", {"question": "q", "passages": ["p", ""]}, READING_CALL),
    Bad("reading of 10,000 passages", 422, "passages", {"question": "q", "passages": ["p"] * 10_000}, READING_CALL),
    Bad("reading of half a character", 422, "question", {"question": "\ud800", "passages": ["p"]}, READING_CALL),
    Bad("reading without a reader", 404, "model", {"question": "q", "passages": ["p"]}, READING_CALL, "no_reader"),
    Bad("classification of nothing", 422, "input", {"input": [], "labels": ["a", "b"]}, LABELLING),
    Bad("classification of half a character", 422, "input", {"input": "\ud800", "labels": ["a", "b"]}, LABELLING),
    Bad("classification into half a character", 422, "labels.1.label", {"input": "x", "labels": ["a", "\ud800"]},
        LABELLING),
    Bad("classification into nothing", 400, "labels", {"input": "x"}, LABELLING, "labels_missing"),
    Bad("classification into one label twice", 400, "labels", {"input": "x", "labels": ["a", "a"]}, LABELLING,
        "labels_alike"),
    Bad("classification by a chat model", 404, "model", {"model": "talker", "input": "x"}, LABELLING,
        "model_not_found"),
    Bad("tool schema that is none", 400, "tools.0.function.parameters", {"tools": [tool({"type": "objekt"})]},
        code="invalid_schema"),
    Bad("tool schema that points nowhere", 400, "tools.0.function.parameters", {"tools": [tool({"$ref": "#/no"})]}),
    Bad("JSON schema that is none", 400, "response_format.json_schema.schema",
        {"response_format": shape({"properties": 3})}, code="invalid_schema"),
    Bad("JSON schema that points elsewhere", 400, "response_format.json_schema.schema",
        {"response_format": shape({"$ref": "http://127.0.0.1:9/x.json"})}),
    Bad("picture to a model that reads text", 400, "messages.0.content",
        {"messages": [{"role": "user", "content": [PICTURE]}]}, code="content_unsupported"),
    Bad("temperature that is no number", 422, "temperature", {"temperature": float("nan")}),
    Bad("top_p beyond all numbers", 422, "top_p", {"top_p": float("inf")}),
    Bad("unknown field that is no number", 422, "top_k", {"top_k": float("nan")}),
    Bad("number deep inside that is none", 422, "metadata", {"metadata": {"a": [float("-inf")]}}),
    Bad("negative max_tokens", 422, "max_tokens", {"max_tokens": -1}),
    Bad("max_tokens of nothing", 422, "max_completion_tokens", {"max_completion_tokens": 0}),
    Bad("max_tokens beyond all numbers", 422, "max_tokens", {"max_tokens": 10**30}),
    Bad("no choice", 422, "n", {"n": 0}),
    Bad("no messages", 422, "messages", {"messages": []}),
)  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["engine", "server"])
async def inference(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Inference]:
    folder = tmp_path_factory.mktemp("inference")
    async with running_inference(folder, reader_seconds=READER_SECONDS) as near:
        if request.param == "engine":
            yield near
            return
        os.environ["TEST_UPSTREAM_KEY"] = near.token
        far = []
        for declared in (CHAT, EMBEDDING, RERANK):
            source = {"base_url": f"{near.url}/v1", "upstream_model": declared["name"]}
            source |= {"api_key_env": "TEST_UPSTREAM_KEY"}
            far.append(declared | {"engine": "openai", "source": source})
        async with running_inference(tmp_path_factory.mktemp("far"), far, reader_seconds=READER_SECONDS) as service:
            yield service
        del os.environ["TEST_UPSTREAM_KEY"]


async def nothing_is_held(inference: Inference) -> None:
    """Both services are in this process, and so count into the same metrics."""

    async def is_free() -> bool:
        return not any([await inference.metric(f"groundwork_inference_{name}") for name in COUNTED])

    await until(is_free)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await true():  # noqa: ASYNC110  # metrics are asked for, they announce nothing
            await asyncio.sleep(0.02)


def body_of(bad: Bad) -> bytes:
    good = {"model": "default", **({"messages": HELLO} if bad.path == CHATTING else {})}
    return json.dumps(good | bad.fields).encode()  # NaN and half characters too, as other clients write them


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.name.replace(" ", "-"))
async def test_bad_input_is_refused_by_name_and_holds_nothing(inference: Inference, bad: Bad, stream: bool) -> None:
    if stream and bad.path != CHATTING:
        return
    body = body_of(bad)
    if stream:
        body = body[:-1] + b', "stream": true}'
    headers = inference.headers | {"Content-Type": "application/json"}
    async with inference.session.post(inference.url + bad.path, data=body, headers=headers) as answer:
        error = (await answer.json())["error"]
        assert (answer.status, (error["param"] or "").partition("[")[0]) == (bad.status, bad.param), error
    assert bad.code is None or error["code"] == bad.code
    assert len(error["message"]) > 10
    assert error["request_id"]
    await nothing_is_held(inference)


FOR_EVER = {"model": "default", "messages": [{"role": "user", "content": "count for ever"}], "max_tokens": 200}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_holds_nothing(inference: Inference, stream: bool) -> None:
    async def is_running() -> bool:
        return bool(await inference.metric("groundwork_inference_running"))

    async def is_counted() -> bool:
        return await inference.metric("groundwork_inference_abandoned_total") > before

    before = await inference.metric("groundwork_inference_abandoned_total")
    call = asyncio.create_task(inference.post(CHATTING, FOR_EVER | {"stream": stream}).__aenter__())
    await until(is_running)
    if stream:
        (await call).close()
    else:
        call.cancel()
    await nothing_is_held(inference)
    await until(is_counted)
    async with inference.post(CHATTING, FOR_EVER | {"max_tokens": 1}) as answer:
        assert answer.status == 200


async def test_a_client_that_reads_slowly_gets_all_of_its_answer(inference: Inference) -> None:
    said = b""
    async with inference.post(CHATTING, FOR_EVER | {"stream": True, "max_tokens": 40}) as answer:
        async for piece in answer.content.iter_chunked(512):
            said += piece
            await asyncio.sleep(READER_SECONDS / 20)
    assert said.endswith(b"data: [DONE]\n\n")
    assert said.count(b'"content"') >= 30
    await nothing_is_held(inference)
