"""The arguments of a tool call reach the client part by part, in order, while the upstream still writes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.agent.service import serving
from tests.support.gateway.running import RunningGateway
from tests.support.inference.fake_upstream import Upstream, chunk
from tests.support.inference.real import PRICE, running_with_inference
from tests.support.inference.running import EMBEDDING, RERANK

LOOK = {"name": "look", "parameters": {"type": "object", "properties": {"lines": {"type": "string"}}}}
PARTS = ['{"lines": "', *(f"line {number} é\\n" for number in range(115)), '"}']


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """Its model writes a call in 117 parts and then says nothing more."""
    upstream = Upstream()
    head = {"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": ""}}
    calls = [head, *({"index": 0, "function": {"arguments": part}} for part in PARTS)]
    upstream.stream(*(chunk(delta={"tool_calls": [call]}) for call in calls), then_hang=True)
    async with serving(upstream.app) as url:
        far = {"name": "far", "kind": "chat", "engine": "openai", "context_length": 4000, "default": True}
        far |= {"source": {"base_url": f"{url}/v1", "upstream_model": "m"}, "price": PRICE}
        async with running_with_inference(tmp_path, [far, EMBEDDING, RERANK]) as running:
            yield running


async def events(gateway: RunningGateway, path: str, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {gateway.admin_key}"}
    sent = {"model": "far", "stream": True, **body}
    async with gateway.session.post(gateway.url + path, json=sent, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        async for line in answer.content:
            if line.startswith(b"data: {"):
                yield json.loads(line[6:])
        raise AssertionError("the stream ended before all parts had come")


async def test_a_chat_brings_the_name_and_then_each_part_as_it_is_written(gateway: RunningGateway) -> None:
    messages = [{"role": "user", "content": "Look"}]
    body = {"messages": messages, "tools": [{"type": "function", "function": LOOK}]}
    calls: list[dict[str, Any]] = []
    async for event in events(gateway, "/v1/chat/completions", body):
        calls += event["choices"][0]["delta"].get("tool_calls") or []
        if len(calls) > len(PARTS):
            break
    assert calls[0]["function"] == {"name": "look", "arguments": ""}
    assert [call["function"]["arguments"] for call in calls[1:]] == PARTS


async def test_responses_bring_each_part_with_numbers_that_leave_none_out(gateway: RunningGateway) -> None:
    body = {"input": "Look", "tools": [{"type": "function", **LOOK}]}
    seen: list[dict[str, Any]] = []
    parts: list[str] = []
    async for event in events(gateway, "/v1/responses", body):
        seen.append(event)
        if event["type"] == "response.function_call_arguments.delta":
            parts.append(event["delta"])
        if len(parts) == len(PARTS):
            break
    assert parts == PARTS
    assert [event["sequence_number"] for event in seen] == list(range(len(seen)))
    (added,) = (event for event in seen if event["type"] == "response.output_item.added")
    assert (added["item"]["type"], added["item"]["name"]) == ("function_call", "look")
