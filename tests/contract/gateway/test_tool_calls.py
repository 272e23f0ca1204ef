"""Tool calls reach OpenAI's client through the gateway as the model's server made them: in chats and responses, whole
and streamed, what is no JSON included."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
from tests.support.inference.real import running_with_inference
from tests.support.inference.scripted_server import declared, scripted_server

Json = dict[str, Any]
Calls = list[tuple[str, str]]


def function(name: str, **properties: Json) -> Json:
    parameters = {"type": "object", "properties": properties or {"x": {"type": "string"}}}
    return {"name": name, "description": name, "parameters": parameters}


A, B, MANY = function("a"), function("b"), [function(f"tool_{number}") for number in range(128)]
NESTED = function("a", x={"type": "object"}, n={"type": "number"}, b={"type": "boolean"})
CASES: dict[str, tuple[str, list[Json]]] = {
    "one": ('CALL a {"x":"1"}', [A]),
    "two": ('CALL a {"x":"1"}\nCALL b {"x":"2"}', [A, B]),
    "the same twice": ('CALL a {"x":"1"}\nCALL a {"x":"2"}', [A]),
    "ten": ("\n".join(f'CALL tool_{number} {{"x":"{number}"}}' for number in range(10)), MANY),
    "unicode": ('CALL a {"x":"Zürich 東京 🎉 \\" \\\\ \\n"}', [A]),
    "empty": ("CALL a {}", [A]),
    "nested": ('CALL a {"x":{"y":[1,2,{"z":null}]},"n":1.50,"b":true}', [NESTED]),
    "20 KB": (f"CALL a {json.dumps({'x': 'abc ' * 5000})}", [A]),
    "one of 128": ('CALL tool_127 {"x":"1"}', MANY),
    "one that was not offered": ('CALL zzz {"x":"1"}', [A]),
    "against its schema": ('CALL a {"x":5,"q":1}', [A]),
    "no JSON": ('CALL a {"x": oops', [A]),
    "none": ("hello", [A]),
}


@dataclass(frozen=True)
class Clients:
    """Of the gateway, and of the model's server itself."""

    gateway: openai.AsyncOpenAI
    server: openai.AsyncOpenAI


@pytest.fixture
async def clients(tmp_path: Path) -> AsyncIterator[Clients]:
    with scripted_server() as url:
        async with (
            running_with_inference(tmp_path, [declared(url)]) as running,
            openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key=running.admin_key, max_retries=0) as gateway,
            openai.AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as server,
        ):
            yield Clients(gateway, server)


async def chat(client: openai.AsyncOpenAI, asked: Json) -> tuple[Calls, str | None]:
    choice = (await client.chat.completions.create(**asked)).choices[0]
    return [(call.function.name, call.function.arguments) for call in choice.message.tool_calls or ()], (
        choice.finish_reason
    )


async def streamed_chat(client: openai.AsyncOpenAI, asked: Json) -> tuple[Calls, str | None]:
    calls: dict[int, list[str]] = {}
    reason = None
    async for chunk in await client.chat.completions.create(**asked, stream=True):
        for choice in chunk.choices:
            reason = choice.finish_reason or reason
            for delta in choice.delta.tool_calls or ():
                call = calls.setdefault(delta.index, ["", ""])
                call[0] += delta.function.name or ""
                call[1] += delta.function.arguments or ""
    return [(name, arguments) for name, arguments in calls.values()], reason


async def response(client: openai.AsyncOpenAI, asked: Json) -> Calls:
    output = (await client.responses.create(**asked)).output
    return [(item.name, item.arguments) for item in output if item.type == "function_call"]


async def streamed_response(client: openai.AsyncOpenAI, asked: Json) -> Calls:
    """Of its deltas, which the finished response has to agree with."""
    pieces: dict[str, str] = {}
    async for event in await client.responses.create(**asked, stream=True):
        if event.type == "response.output_item.added" and event.item.type == "function_call":
            pieces[event.item.id] = ""
        if event.type == "response.function_call_arguments.delta":
            pieces[event.item_id] += event.delta
        if event.type == "response.completed":
            found = [item for item in event.response.output if item.type == "function_call"]
            assert [item.arguments for item in found] == list(pieces.values())
            return [(item.name, item.arguments) for item in found]
    raise AssertionError("it was not completed")


@pytest.mark.parametrize("case", CASES)
async def test_tool_calls_are_those_of_the_model_s_server(clients: Clients, case: str) -> None:
    text, functions = CASES[case]
    messages = [{"role": "user", "content": text}]
    asked = {"model": "plain", "messages": messages, "tools": [{"type": "function", "function": f} for f in functions]}
    expected = await chat(clients.server, asked)
    assert bool(expected[0]) is (case != "none")
    assert await chat(clients.gateway, asked) == expected
    assert await streamed_chat(clients.gateway, asked) == expected
    flat = {"model": "plain", "input": messages, "tools": [{"type": "function", **f} for f in functions]}
    assert await response(clients.gateway, flat) == expected[0]
    assert await streamed_response(clients.gateway, flat) == expected[0]
