"""`tool_protocol: constrained` before servers that hold nobody to schemas: answers are read as far as they can be."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from tests.support.inference.running import Inference, running_inference, serving

REFERENCES = {
    "type": "object",
    "properties": {"where": {"$ref": "#/$defs/place"}},
    "required": ["where"],
    "$defs": {"place": {"type": "string"}},
}
TOOLS = [
    {"type": "function", "function": {"name": "look", "parameters": REFERENCES}},
    {"type": "function", "function": {"name": "wait", "parameters": {"type": "object", "properties": {}}}},
]
CALL = '{"name": "look", "arguments": {"where": "Oslo"}}'
USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}


class Server:
    """Says what it is told to, one text a call, and notes what it was asked."""

    def __init__(self) -> None:
        self.says: list[str] = []
        self.reason = "stop"
        self.asked: list[dict[str, Any]] = []
        self.app = Starlette(routes=[Route("/v1/chat/completions", self._chat, methods=["POST"])])

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        text = self.says.pop(0)
        if not body["stream"]:
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": self.reason}
            return JSONResponse({"choices": [choice], "usage": USAGE})
        return StreamingResponse(self._frames(text), media_type="text/event-stream")

    async def _frames(self, text: str) -> AsyncIterator[str]:
        for part in ["", *(text[at : at + 3] for at in range(0, len(text), 3))]:
            yield self._frame([{"index": 0, "delta": {"content": part}, "finish_reason": None}])
        yield self._frame([{"index": 0, "delta": {}, "finish_reason": self.reason}])
        yield self._frame([], usage=USAGE)
        yield "data: [DONE]\n\n"

    def _frame(self, choices: list[Any], **more: Any) -> str:
        return f"data: {json.dumps({'choices': choices, **more})}\n\n"


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def inference(server: Server, tmp_path: Path) -> AsyncIterator[Inference]:
    async with serving(server.app) as url:
        source = {"base_url": f"{url}/v1", "upstream_model": "far"}
        far = {"name": "far", "kind": "chat", "engine": "openai", "context_length": 1000, "source": source}
        near = {"name": "near", "kind": "chat", "engine": "scripted", "context_length": 100, "default": True}
        far |= {"tool_protocol": "constrained", "queue": {"at_once": 1}}
        async with running_inference(tmp_path, [near, far]) as service:
            yield service


async def ask(inference: Inference, **more: Any) -> tuple[int, Any]:
    body = {"model": "far", "messages": [{"role": "user", "content": "Look at Oslo"}], "tools": TOOLS, **more}
    async with inference.post("/v1/chat/completions", body) as answer:
        return answer.status, await answer.json()


async def streamed(inference: Inference, **more: Any) -> tuple[str, list[Any], str | None, Any, str]:
    """Text, calls, reason, usage and the raw stream."""
    body = {"model": "far", "messages": [{"role": "user", "content": "Look"}], "tools": TOOLS, "stream": True, **more}
    async with inference.post("/v1/chat/completions", body | {"stream_options": {"include_usage": True}}) as answer:
        raw = await answer.text()
    text, calls, reason, usage = "", [], None, None
    for block in raw.strip().split("\n\n"):
        if block.startswith("data: {"):
            chunk = json.loads(block.removeprefix("data: "))
            usage = chunk.get("usage") or usage
            for choice in chunk["choices"]:
                text += choice["delta"].get("content") or ""
                calls += choice["delta"].get("tool_calls") or []
                reason = choice["finish_reason"] or reason
    return text, calls, reason, usage, raw


@pytest.mark.parametrize(
    "said",
    [
        CALL,
        f"```json\n{CALL}\n```",
        f"Sure! {CALL} There.",
        CALL.replace('{"where": "Oslo"}', '"{\\"where\\": \\"Oslo\\"}"'),
    ],
)
async def test_a_call_is_read_whatever_is_around_it(inference: Inference, server: Server, said: str) -> None:
    server.says = [said, said]
    status, body = await ask(inference)
    (choice,) = body["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert (status, choice["finish_reason"], choice["message"]["content"]) == (200, "tool_calls", None)
    assert (call["type"], call["function"]["name"]) == ("function", "look")
    assert json.loads(call["function"]["arguments"]) == {"where": "Oslo"}
    text, calls, reason, usage, _ = await streamed(inference)
    assert (text, reason, usage) == ("", "tool_calls", USAGE)
    assert [(c["index"], c["function"]) for c in calls] == [(0, call["function"])]
    assert len(server.asked) == 2


async def test_the_server_is_asked_for_a_schema_and_knows_nothing_of_tools(
    inference: Inference, server: Server
) -> None:
    server.says = [CALL]
    history: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Look"},
        {
            "role": "assistant",
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "wait", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "a", "content": "done"},
    ]
    await ask(inference, messages=history, tool_choice="required", parallel_tool_calls=True, top_k=3)
    (asked,) = server.asked
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & asked.keys()
    assert asked["top_k"] == 3
    schema = asked["response_format"]["json_schema"]["schema"]
    look, wait, several = schema["anyOf"]
    assert look["properties"]["arguments"] == {"$ref": "#/$defs/tool0"}
    assert schema["$defs"]["tool0"]["properties"]["where"] == {"$ref": "#/$defs/tool0/$defs/place"}
    assert wait["properties"]["name"] == {"const": "wait"}
    assert several["properties"]["calls"]["minItems"] == 1
    roles = [message["role"] for message in asked["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert asked["messages"][0]["content"].startswith("Be brief.")
    assert asked["messages"][2]["content"] == '{"name": "wait", "arguments": {}}'
    assert asked["messages"][3]["content"] == "Result of wait:\ndone"


async def test_several_calls_are_read_where_they_are_allowed(inference: Inference, server: Server) -> None:
    server.says = [f'{{"calls": [{CALL}, {{"name": "wait", "arguments": {{}}}}]}}']
    _, body = await ask(inference, parallel_tool_calls=True)
    calls = body["choices"][0]["message"]["tool_calls"]
    assert [call["function"]["name"] for call in calls] == ["look", "wait"]
    assert len({call["id"] for call in calls}) == 2


async def test_an_answer_without_a_call_streams_while_it_is_written(inference: Inference, server: Server) -> None:
    said = 'It is "cold",\n\tvery – 🎉'
    server.says = [json.dumps({"text": said})] * 2
    _, body = await ask(inference)
    assert body["choices"][0]["message"] == {"role": "assistant", "content": said}
    text, calls, reason, _, raw = await streamed(inference)
    assert (text, calls, reason) == (said, [], "stop")
    assert raw.count('"content"') > 5


@pytest.mark.parametrize(
    ("said", "name", "arguments"),
    [
        ('{"name": "fly", "arguments": {}}', "fly", "{}"),
        ('{"name": "look", "arguments": {}}', "look", "{}"),
        ('{"name": "look", "arguments": {"where": oops}}', "look", '{"where": oops}}'),
    ],
)
async def test_a_call_that_does_not_fit_is_handed_on_and_the_server_asked_once(
    inference: Inference, server: Server, said: str, name: str, arguments: str
) -> None:
    server.says = [said, said]
    status, body = await ask(inference)
    (call,) = body["choices"][0]["message"]["tool_calls"]
    assert (status, call["function"], body["usage"]) == (200, {"name": name, "arguments": arguments}, USAGE)
    _, calls, reason, usage, _ = await streamed(inference)
    assert ([each["function"] for each in calls], reason, usage) == ([call["function"]], "tool_calls", USAGE)
    assert len(server.asked) == 2


async def test_what_is_neither_a_call_nor_an_answer_is_text(inference: Inference, server: Server) -> None:
    server.says = ['{"fly"'] * 2
    status, body = await ask(inference)
    assert (status, body["choices"][0]["message"]["content"], body["choices"][0]["finish_reason"]) == (
        200,
        '{"fly"',
        "stop",
    )
    text, calls, reason, usage, _ = await streamed(inference)
    assert (text, calls, reason, usage) == ('{"fly"', [], "stop", USAGE)
    assert len(server.asked) == 2


async def test_a_call_that_was_cut_short_is_given_as_far_as_it_came(inference: Inference, server: Server) -> None:
    server.reason = "length"
    server.says = [CALL[:-5], CALL[:-5], '{"text": "It is co']
    _, body = await ask(inference)
    assert body["choices"][0]["finish_reason"] == "length"
    [call] = body["choices"][0]["message"]["tool_calls"]
    assert call["function"] == {"name": "look", "arguments": '{"where": "Os'}
    assert (await streamed(inference))[2] == "length"
    _, body = await ask(inference)
    assert body["choices"][0]["message"]["content"] == "It is co"


async def test_a_plain_answer_from_a_server_without_schemas_is_an_answer(inference: Inference, server: Server) -> None:
    server.says = ["It is cold."] * 2
    _, body = await ask(inference)
    assert body["choices"][0]["message"]["content"] == "It is cold."
    assert (await streamed(inference))[0] == "It is cold."


@pytest.mark.parametrize("content", [["a"], 5, {"text": "a"}])
async def test_content_that_is_no_text_is_no_call_and_no_failure_of_ours(
    inference: Inference, server: Server, content: Any
) -> None:
    server.says = [content] * 2
    status, body = await ask(inference)
    assert (status, body["choices"][0]["message"]) == (200, {"role": "assistant", "content": ""})
