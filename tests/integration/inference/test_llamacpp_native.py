"""A model that calls tools by itself, by llama.cpp: the suite of every chat engine.

The packaged model knows no tools. GROUNDWORK_TOOL_MODEL names the GGUF file of one whose chat template has them, as
Qwen2.5's has. `caller` calls by itself, `guided` is held to the JSON of its calls.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio
from tests.support.inference.chat_conformance import Capabilities, ChatConformance, Subject
from tests.support.inference.running import Inference, running_inference

FILE = os.environ.get("GROUNDWORK_TOOL_MODEL", "")
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not FILE, reason="GROUNDWORK_TOOL_MODEL names no GGUF file of a model that calls tools"),
    pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp has no wheel here"),
]
MODEL: dict[str, Any] = {
    "name": "caller",
    "kind": "chat",
    "engine": "llamacpp",
    "source": {"path": FILE},
    "context_length": 2048,
    "tool_protocol": "native",
    "queue": {"at_once": 2, "waiting": 3},
    "llamacpp": {"threads": 2},
    "generation": {"max_tokens": 256, "temperature": 0},
    "default": True,
}
GUIDED = MODEL | {"name": "guided", "tool_protocol": "constrained", "default": False}
SHAPES: dict[str, dict[str, Any]] = {
    "texts": {
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}},
        "required": ["city"],
    },
    "optional": {"properties": {"city": {"type": "string"}, "day": {"type": "string"}}},
    "nested": {"properties": {"place": {"type": "object", "properties": {"city": {"type": "string"}}}}},
    "list": {"properties": {"days": {"type": "array", "items": {"type": "object", "properties": {"day": {}}}}}},
    "alternatives": {"properties": {"at": {"anyOf": [{"type": "integer"}, {"type": "string"}]}}, "required": ["at"]},
    "nothing said": {},
}
"""Parameters that don't say that there are no others: a model that may write keys without end does so."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inference]:
    async with running_inference(tmp_path_factory.mktemp("inference"), [MODEL, GUIDED]) as service:
        await service.dependencies.models.loaded()
        yield service


class TestCaller(ChatConformance):
    @pytest.fixture
    async def subject(self, served: Inference) -> AsyncIterator[Subject]:
        async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key=served.token, max_retries=0) as client:
            yield Subject(client, "default", Capabilities(context_length=2048))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("model", ["caller", "guided"])
async def test_a_call_that_must_be_made_is_made_though_its_objects_are_open(
    served: Inference, model: str, shape: str
) -> None:
    function = {"name": "weather", "description": "The weather.", "parameters": {"type": "object", **SHAPES[shape]}}
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "What is the weather in Paris today?"}],
        "tools": [{"type": "function", "function": function}],
        "tool_choice": "required",
    }
    async with served.post("/v1/chat/completions", body) as answer:
        told = await answer.json()
    assert answer.status == 200, told
    (choice,) = told["choices"]
    assert choice["finish_reason"] == "tool_calls", choice
    assert json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"]) is not None
