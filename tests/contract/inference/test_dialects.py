"""Each server's dialect of OpenAI's API, spoken by a fake: what it is sent, and that its answer is a proper one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.responses import JSONResponse, Response
from tests.support.inference.fake_upstream import DONE, Upstream, chunk
from tests.support.inference.running import EMBEDDING, Inference, running_inference, serving

from inference.engines.scripted.vectors import TOKENIZER

USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
ASK = {"model": "far", "messages": [{"role": "user", "content": "Say hello now"}]}


def event(**fields: Any) -> str:
    return f"data: {json.dumps({'choices': [], **fields})}\n\n"


@asynccontextmanager
async def over(
    upstream: Upstream,
    folder: Path,
    base: str = "/v1",
    kind: str = "chat",
    model: dict[str, Any] | None = None,
    **source: Any,
) -> AsyncIterator[Inference]:
    """The service over a fake, with what its models file declares of the server."""
    needs: dict[str, dict[str, Any]] = {
        "chat": {"context_length": 1000},
        "embedding": {"max_input_tokens": 100, "dimensions": 2},
        "rerank": {},
    }
    async with serving(upstream.app) as url:
        declared = {
            "name": "far",
            "kind": kind,
            "engine": "openai",
            "default": True,
            "source": {"base_url": url + base, "upstream_model": "org/far", **source},
            **needs[kind],
            **(model or {}),
        }
        others = [] if kind == "embedding" else [EMBEDDING]
        async with running_inference(folder, [declared, *others], upstream_seconds=60) as service:
            yield service


async def streamed(inference: Inference, **more: Any) -> tuple[str, list[dict[str, Any]], bool]:
    """The text, the chunks, and whether the stream ended with `[DONE]`."""
    body = ASK | {"stream": True, "stream_options": {"include_usage": True}} | more
    async with inference.post("/v1/chat/completions", body) as answer:
        assert answer.status == 200, await answer.text()
        blocks = (await answer.text()).strip().split("\n\n")
    done = blocks[-1] == "data: [DONE]"
    chunks = [json.loads(block.removeprefix("data: ")) for block in blocks if block.startswith("data: {")]
    text = "".join(choice["delta"].get("content") or "" for c in chunks for choice in c["choices"])
    return text, chunks, done


ROLE = event(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
STREAMS = {
    # vLLM and OpenAI: the role first, usage in a frame of its own, null before
    "vllm": [ROLE, chunk("Hel", usage=None), chunk("lo", "stop"), event(usage=USAGE), DONE],
    # continuous_usage_stats, and Google: usage in every frame, growing
    "google": [
        event(
            choices=[{"index": 0, "delta": {"role": "assistant", "content": "Hel"}}], usage=USAGE | {"total_tokens": 6}
        ),
        event(choices=[{"index": 0, "delta": {"content": "lo"}, "finish_reason": "stop"}], usage=USAGE),
        DONE,
    ],
    # llama.cpp: usage and timings at the end
    "llama.cpp": [ROLE, chunk("Hello", "stop"), event(usage=USAGE, timings={"predicted_ms": 3.1}), DONE],
    # Anthropic and OpenRouter: comments and pings between
    "comments": [
        ": OPENROUTER PROCESSING\n\n",
        chunk("Hel"),
        ": ping\n\n",
        chunk("lo", "stop"),
        event(usage=USAGE),
        DONE,
    ],
    # servers and proxies that leave [DONE] out, or the blank line after it
    "no done": [chunk("Hel"), chunk("lo", "stop"), event(usage=USAGE)],
    "no blank line": [chunk("Hello", "stop"), event(usage=USAGE), "data: [DONE]"],
    # total_tokens left out
    "no total": [chunk("Hello", "stop"), event(usage={"prompt_tokens": 5, "completion_tokens": 2}), DONE],
}


@pytest.mark.parametrize("dialect", STREAMS)
async def test_every_servers_stream_becomes_the_same(tmp_path: Path, dialect: str) -> None:
    upstream = Upstream()
    upstream.stream(*STREAMS[dialect])
    async with over(upstream, tmp_path) as inference:
        text, chunks, done = await streamed(inference)
    assert (text, done) == ("Hello", True)
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-1]["usage"] == USAGE
    assert [c.get("usage") for c in chunks[:-1] if c.get("usage")] == []


async def test_a_stream_that_ends_before_every_choice_has_is_an_error(tmp_path: Path) -> None:
    upstream = Upstream()
    async with over(upstream, tmp_path) as inference:
        for lines in (
            [chunk("Hel")],
            [chunk("Hel"), event(usage=USAGE)],
            [chunk("Hello", "stop", index=1), chunk("x")],
        ):
            upstream.stream(*lines)
            async with inference.post("/v1/chat/completions", ASK | {"stream": True}) as answer:
                assert "event: error" in await answer.text()
        upstream.stream(chunk("Hello", "stop"))
        async with inference.post("/v1/chat/completions", ASK | {"stream": True, "n": 2}) as answer:
            assert "event: error" in await answer.text()


@pytest.mark.parametrize(
    "failure",
    [
        'data: {"error": {"message": "boom", "type": "BadRequestError", "code": 400}}\n\n',
        'data: {"error": {"message": "boom", "type": "invalid_request_error", "code": null}}\n\n',
        'event: error\ndata: {"type": "error", "error": {"type": "invalid_request_error", "message": "boom"}}\n\n',
        'error: {"code": 400, "message": "boom", "type": "invalid_request_error"}\n\n',
    ],
)
async def test_an_error_after_frames_without_content_is_still_an_ordinary_error(tmp_path: Path, failure: str) -> None:
    upstream = Upstream()
    upstream.stream(ROLE, ROLE, failure, DONE)
    async with (
        over(upstream, tmp_path) as inference,
        inference.post("/v1/chat/completions", ASK | {"stream": True}) as answer,
    ):
        assert answer.status == 400
        assert (await answer.json())["error"]["message"] == "boom"


async def test_a_server_that_refuses_stream_options_is_asked_without_from_then_on(tmp_path: Path) -> None:
    upstream = Upstream()
    words = 'Invalid JSON payload received. Unknown name "stream_options": Cannot find field.'
    upstream.answers = [JSONResponse([{"error": {"code": 400, "message": words}}], status_code=400)]
    async with over(upstream, tmp_path) as inference:
        for calls in (2, 3):
            upstream.stream(chunk("Hello", "stop"), DONE)
            async with inference.post("/v1/chat/completions", ASK | {"stream": True}) as answer:
                assert "Hello" in await answer.text()
            assert upstream.calls == calls
            assert "stream_options" not in upstream.sent


async def test_what_is_declared_of_a_server_is_what_it_is_sent(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.stream(chunk("Hello", "stop"), DONE)
    async with over(
        upstream, tmp_path, base="/v1beta/openai", stream_usage=False, max_tokens_as="max_completion_tokens"
    ) as inference:
        more = {"max_tokens": 9, "top_k": 40, "stream_options": {"include_usage": True, "chunk_size": 3}}
        async with inference.post("/v1/chat/completions", ASK | {"stream": True} | more) as answer:
            await answer.text()
    assert upstream.path == "/v1beta/openai/chat/completions"
    assert upstream.sent == ASK | {
        "model": "org/far",
        "stream": True,
        "max_completion_tokens": 9,
        "top_k": 40,
        "stream_options": {"chunk_size": 3},
    }


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("counted", [False, True])
async def test_usage_that_a_server_leaves_out_is_counted_where_its_tokenizer_is_declared(
    tmp_path: Path, stream: bool, counted: bool
) -> None:
    upstream = Upstream()
    (tmp_path / "tokenizer.json").write_bytes(TOKENIZER)
    if stream:
        upstream.stream(chunk("one two "), chunk("three", "stop"), DONE)
    else:
        message = {"role": "assistant", "content": "one two three"}
        upstream.say(200, {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    model = {"tokenizer": str(tmp_path / "tokenizer.json")} if counted else {}
    async with over(upstream, tmp_path, model=model) as inference:
        if stream:
            usage = (await streamed(inference))[1][-1].get("usage")
        else:
            async with inference.post("/v1/chat/completions", ASK) as answer:
                usage = (await answer.json())["usage"]
    expected = {"prompt_tokens": 3 + 4 + 3, "completion_tokens": 3, "total_tokens": 13, "estimated": True}
    assert usage == (expected if counted else None)


@pytest.mark.parametrize(
    ("answer", "tokens"),
    [
        # vLLM, Jina
        (
            {
                "usage": {"total_tokens": 40},
                "results": [{"index": 1, "document": {"text": "b"}, "relevance_score": 0.9}],
            },
            40,
        ),
        # Cohere v2: tokens in its own units
        ({"meta": {"billed_units": {"search_units": 1}, "tokens": {"input_tokens": 31}}, "results": []}, 31),
        ({"meta": {"billed_units": {"search_units": 1}}, "results": []}, 0),
        # llama.cpp
        ({"usage": {"prompt_tokens": 12, "total_tokens": 12}, "results": []}, 12),
    ],
)
async def test_every_servers_ranking_is_read(tmp_path: Path, answer: dict[str, Any], tokens: int) -> None:
    upstream = Upstream()
    known = {row["index"] for row in answer["results"]}
    rows = [*answer["results"], *({"index": i, "relevance_score": 0.1 * i} for i in (0, 1) if i not in known)]
    upstream.say(200, answer | {"results": rows})
    body = {"model": "far", "query": "q", "documents": ["a", "b"]}
    async with (
        over(upstream, tmp_path, base="/v2", kind="rerank", ready_path=None) as inference,
        inference.post("/v1/rerank", body) as got,
    ):
        ranked = await got.json()
    assert upstream.path == "/v2/rerank"
    assert upstream.sent == {"model": "org/far", "query": "q", "documents": ["a", "b"], "top_n": 2}
    assert [row["index"] for row in ranked["results"]] == [1, 0]
    assert ranked["usage"]["total_tokens"] == tokens


@pytest.mark.parametrize("encoding", ["base64", "float"])
async def test_every_servers_embeddings_are_read(tmp_path: Path, encoding: str) -> None:
    upstream = Upstream()
    rows = [{"index": 1, "embedding": [0.0, 2.0]}, {"index": 0, "embedding": [3.0, 0.0]}]  # Google's order is its own
    upstream.say(200, {"data": rows, "usage": {"prompt_tokens": 4, "total_tokens": 4}})
    async with (
        over(upstream, tmp_path, kind="embedding", encoding_format=encoding, send_dimensions=True) as inference,
        inference.post("/v1/embeddings", {"model": "far", "input": ["a", "b"]}) as got,
    ):
        answer = await got.json()
    assert upstream.sent == {"model": "org/far", "input": ["a", "b"], "encoding_format": encoding, "dimensions": 2}
    np.testing.assert_allclose([row["embedding"] for row in answer["data"]], [[1, 0], [0, 1]])
    assert answer["usage"]["total_tokens"] == 4


@pytest.mark.parametrize("number", [None, float("nan"), 1e39])
async def test_vectors_that_are_no_numbers_are_the_servers_failure(tmp_path: Path, number: Any) -> None:
    rows = [{"index": 0, "embedding": [1.0, number]}]
    upstream = Upstream()
    upstream.answer = Response(json.dumps({"data": rows}), media_type="application/json")
    async with (
        over(upstream, tmp_path, kind="embedding") as inference,
        inference.post("/v1/embeddings", {"model": "far", "input": "a"}) as got,
    ):
        assert (got.status, (await got.json())["error"]["code"]) == (502, "upstream_error")


async def test_a_score_that_is_no_number_is_the_servers_failure(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.answer = Response('{"results": [{"index": 0, "relevance_score": NaN}]}', media_type="application/json")
    async with (
        over(upstream, tmp_path, kind="rerank", ready_path=None) as inference,
        inference.post("/v1/rerank", {"model": "far", "query": "q", "documents": ["a"]}) as got,
    ):
        assert (got.status, (await got.json())["error"]["code"]) == (502, "upstream_error")


async def test_fields_that_we_do_not_know_go_to_the_server(tmp_path: Path) -> None:
    upstream = Upstream()
    more = {"user": "u", "truncate_prompt_tokens": 8, "task": None}
    upstream.say(200, {"data": [{"index": 0, "embedding": [1.0, 0.0]}]})
    async with (
        over(upstream, tmp_path, kind="embedding") as inference,
        inference.post("/v1/embeddings", {"model": "far", "input": "a", "priority": "bulk", **more}) as got,
    ):
        assert got.status == 200
    known = {"model": "org/far", "input": ["a"], "encoding_format": "base64"}
    assert upstream.sent == known | {"user": "u", "truncate_prompt_tokens": 8}
    upstream.say(200, {"results": [{"index": 0, "relevance_score": 0.5}]})
    (tmp_path / "rerank").mkdir()
    async with (
        over(upstream, tmp_path / "rerank", kind="rerank", ready_path=None) as inference,
        inference.post("/v1/rerank", {"query": "q", "documents": ["a"], "max_tokens_per_doc": 9}) as got,
    ):
        assert got.status == 200
    assert upstream.sent["max_tokens_per_doc"] == 9


@pytest.mark.parametrize(("said", "tokens"), [({}, 5), ({"usage": {"prompt_tokens": 9, "total_tokens": 9}}, 9)])
async def test_tokens_of_vectors_that_the_server_does_not_count_are_counted_by_the_declared_tokenizer(
    tmp_path: Path, said: dict[str, Any], tokens: int
) -> None:
    (tmp_path / "tokenizer.json").write_bytes(TOKENIZER)
    upstream, model = Upstream(), {"tokenizer": str(tmp_path / "tokenizer.json")}
    upstream.say(200, {"data": [{"index": i, "embedding": [1.0, 0.0]} for i in (0, 1)], **said})
    async with (
        over(upstream, tmp_path, kind="embedding", model=model) as inference,
        inference.post("/v1/embeddings", {"model": "far", "input": ["two words", "and three more"]}) as got,
    ):
        usage = (await got.json())["usage"]
        assert (usage["prompt_tokens"], usage["total_tokens"]) == (tokens, tokens)
    (tmp_path / "rerank").mkdir()
    upstream.say(200, {"results": [{"index": i, "relevance_score": 0.5} for i in (0, 1)], **said})
    async with (
        over(upstream, tmp_path / "rerank", kind="rerank", model=model, ready_path=None) as inference,
        inference.post("/v1/rerank", {"query": "q", "documents": ["one", "two words"]}) as got,
    ):
        assert (await got.json())["usage"]["total_tokens"] == tokens


@pytest.mark.parametrize("stream", [False, True])
async def test_raw_prompts_go_to_the_servers_completions_with_all_that_it_may_know(
    tmp_path: Path, stream: bool
) -> None:
    upstream = Upstream()
    told = {"tokens": ["Hel"], "token_logprobs": [-0.1], "top_logprobs": None, "text_offset": [0]}
    choices = [{"index": 0, "text": "Hello", "logprobs": told, "finish_reason": "stop", "stop_reason": 7}]
    choices += [{"index": 1, "text": "You", "logprobs": None, "finish_reason": "length"}]
    upstream.answer = JSONResponse({"choices": choices, "usage": USAGE})
    if stream:
        upstream.stream(*(event(choices=[choice]) for choice in choices), event(usage=USAGE), DONE)
    messages = [{"role": "user", "content": text} for text in ("one", "two")]
    body = {"model": "far", "messages": messages, "raw_prompts": True, "max_tokens": 5, "stream": stream}
    async with (
        over(upstream, tmp_path, max_tokens_as="max_completion_tokens") as inference,
        inference.post("/v1/chat/completions", body | {"logprobs": 0, "echo": True, "suffix": "x"}) as got,
    ):
        text = await got.text()
        assert got.status == 200, text
    assert upstream.path == "/v1/completions"
    sent = {name: upstream.sent[name] for name in upstream.sent if name not in ("stream", "stream_options")}
    asked = {"prompt": ["one", "two"], "max_tokens": 5, "logprobs": 0, "echo": True, "suffix": "x"}
    assert sent == {"model": "org/far", **asked}
    chunks = [
        json.loads(line.removeprefix("data: ")) for line in text.split("\n\n") if line.startswith(("{", "data: {"))
    ]
    got_choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert [(c.get("delta") or c.get("message"))["content"] for c in got_choices] == ["Hello", "You"]
    assert (got_choices[0]["logprobs"], got_choices[0]["stop_reason"]) == (told, 7)


WORDS = {"query": "search_query", "passage": "search_document"}


@pytest.mark.parametrize(
    ("source", "asked", "sent"),
    [
        ({}, {}, None),
        ({}, {"input_type": "clustering"}, "clustering"),
        ({"input_types": WORDS}, {"priority": "query"}, "search_query"),
        ({"input_types": WORDS}, {"priority": "bulk"}, "search_document"),
        ({"input_types": WORDS}, {"input_type": "passage"}, "search_document"),
        ({"input_types": WORDS}, {"input_type": "clustering"}, "clustering"),
    ],
)
async def test_a_server_is_told_what_it_embeds_in_its_own_words(
    tmp_path: Path, source: dict[str, Any], asked: dict[str, Any], sent: str | None
) -> None:
    upstream = Upstream()
    upstream.say(200, {"data": [{"index": 0, "embedding": [1.0, 0.0]}]})
    async with (
        over(upstream, tmp_path, kind="embedding", **source) as inference,
        inference.post("/v1/embeddings", {"model": "far", "input": "a", **asked}) as got,
    ):
        assert got.status == 200
    assert upstream.sent.get("input_type") == sent
    assert upstream.sent["input"] == ["a"]


async def test_a_servers_model_gets_the_prefixes_that_are_declared(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.say(200, {"data": [{"index": 0, "embedding": [1.0, 0.0]}]})
    declared = {"prefixes": {"query": "query: ", "passage": "passage: "}}
    async with over(upstream, tmp_path, kind="embedding", model=declared) as inference:
        for asked, sent in (({"priority": "query"}, "query: a"), ({"priority": "bulk"}, "passage: a")):
            async with inference.post("/v1/embeddings", {"model": "far", "input": "a", **asked}) as got:
                assert got.status == 200
            assert upstream.sent["input"] == [sent]
