"""Tokens of a model behind a server: vLLM's own calls, a declared tokenizer, or 400 with what to set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse
from tests.support.inference.fake_upstream import Upstream
from tests.support.inference.running import EMBEDDING, Inference, running_inference, serving
from tests.support.inference.tokenizers import word_pieces

from inference.serving.tokens import AT_ONCE

VLLM = {"count": 2, "max_model_len": 5, "tokens": [7, 8], "token_strs": None}


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
async def inference(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Inference]:
    """Models `far`, and `told` whose tokenizer is declared."""
    word_pieces().save(str(tmp_path / "tokenizer.json"))
    async with serving(upstream.app) as url:
        source = {"base_url": f"{url}/v1", "upstream_model": "org/far-model"}
        far = {"name": "far", "kind": "chat", "engine": "openai", "context_length": 1000, "source": source}
        told = far | {"name": "told", "tokenizer": str(tmp_path / "tokenizer.json")}
        async with running_inference(tmp_path, [far | {"default": True}, told, EMBEDDING]) as service:
            await service.dependencies.models.loaded()
            yield service


async def call(inference: Inference, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    async with inference.post(f"/v1/{path}", body) as answer:
        return answer.status, await answer.json()


async def test_vllms_own_calls_are_asked_beside_v1(inference: Inference, upstream: Upstream) -> None:
    upstream.say(200, VLLM)
    status, told = await call(inference, "tokenize", {"model": "far", "prompt": "Hello"})
    assert (status, told) == (200, VLLM | {"max_model_len": 1000})
    assert (upstream.path, upstream.sent["model"], upstream.sent["prompt"]) == ("/tokenize", "org/far-model", "Hello")
    messages = [{"role": "user", "content": "Hello"}]
    await call(inference, "tokenize", {"model": "far", "messages": messages, "add_generation_prompt": False})
    assert (upstream.sent["messages"], upstream.sent["add_generation_prompt"]) == (messages, False)
    upstream.say(200, {"prompt": "Hello"})
    assert await call(inference, "detokenize", {"model": "far", "tokens": [7]}) == (200, {"prompt": "Hello"})
    assert (upstream.path, upstream.sent["tokens"]) == ("/detokenize", [7])


async def test_token_ids_become_a_text_that_has_them_again(inference: Inference, upstream: Upstream) -> None:
    a, framed, text = ({"count": len(ids), "tokens": ids} for ids in ([5], [1, 5], [7, 8]))
    upstream.answers = [JSONResponse(each) for each in (a, framed, {"prompt": "Hello"}, text)]
    asked = {"model": "far", "param": "prompt", "tokens": [[1, 7, 8]]}
    assert await call(inference, "token-texts", asked) == (200, {"texts": ["Hello"]})
    upstream.answers = [JSONResponse(each) for each in (a, framed, {"prompt": "Hello"}, a)]
    status, told = await call(inference, "token-texts", asked)
    assert (status, told["error"]["code"], told["error"]["param"]) == (400, "token_ids_foreign", "prompt")


@pytest.mark.parametrize(("status", "body"), [(404, {"detail": "Not Found"}), (405, {}), (200, {"tokens": []})])
async def test_a_server_without_them_is_told_by_what_to_set(
    inference: Inference, upstream: Upstream, status: int, body: dict[str, Any]
) -> None:
    upstream.say(status, body)
    for path, more in (("tokenize", {"prompt": "Hello"}), ("detokenize", {"tokens": [1]})):
        got, told = await call(inference, path, {"model": "far", **more})
        assert (got, told["error"]["code"]) == (400, "no_tokenizer")
        assert "Set `tokenizer`" in told["error"]["message"]


async def test_a_servers_failure_is_one_of_its_tokens_too(inference: Inference, upstream: Upstream) -> None:
    for said, becomes in ((400, 400), (500, 502), (503, 503)):
        upstream.say(said, {"error": {"message": "words", "type": "whatever_error"}})
        assert (await call(inference, "tokenize", {"model": "far", "prompt": "Hello"}))[0] == becomes


async def test_a_declared_tokenizer_is_nearer_than_the_server(inference: Inference, upstream: Upstream) -> None:
    _, told = await call(inference, "tokenize", {"model": "told", "prompt": "the price", "return_token_strs": True})
    assert told["token_strs"] == ["[CLS]", "the", "price", "[SEP]"]
    assert upstream.calls == 0
    asked = {"model": "told", "messages": [{"role": "user", "content": "a"}]}
    upstream.say(200, VLLM)  # which alone has the chat template
    assert (await call(inference, "tokenize", asked))[1]["tokens"] == [7, 8]
    upstream.say(404, {})
    status, refused = await call(inference, "tokenize", asked)
    assert (status, refused["error"]["param"]) == (400, "messages")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("tokenize", {"prompt": "Hello"}),
        ("detokenize", {"tokens": [7]}),
        ("token-texts", {"param": "prompt", "tokens": [[7, 8]] * 20}),
    ],
)
async def test_a_caller_that_leaves_ends_the_servers_work(
    inference: Inference, upstream: Upstream, path: str, body: dict[str, Any]
) -> None:
    upstream.stream(then_hang=True)
    calling = asyncio.create_task(call(inference, path, {"model": "far", **body}))
    async with asyncio.timeout(60):
        await upstream.called.wait()
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        await upstream.left.wait()


async def test_a_caller_that_leaves_ends_all_that_is_read_of_its_lists(
    inference: Inference, upstream: Upstream
) -> None:
    a, framed = ({"count": len(ids), "tokens": ids} for ids in ([5], [1, 5]))
    upstream.answers = [JSONResponse(a), JSONResponse(framed)]
    upstream.stream(then_hang=True)
    asked = {"model": "far", "param": "prompt", "tokens": [[7, 8]] * 20}
    calling = asyncio.create_task(call(inference, "token-texts", asked))
    async with asyncio.timeout(60):
        while upstream.calls < 2 + AT_ONCE:
            upstream.called.clear()
            await upstream.called.wait()
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        await upstream.left.wait()
    assert upstream.calls == 2 + AT_ONCE, "those that waited are asked no more"
