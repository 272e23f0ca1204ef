"""`tool_protocol: native`: calls of servers go on as they come, in OpenAI's form; the server is asked once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response
from tests.support.inference.fake_upstream import DONE, Upstream, chunk
from tests.support.inference.running import EMBEDDING, Inference, running_inference, serving

USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
PLACE = {"type": "object", "properties": {"where": {"type": "string"}}, "required": ["where"]}
LOOK = {"type": "function", "function": {"name": "look", "parameters": PLACE}}
STRICT = {"type": "function", "function": {"name": "strictly", "parameters": PLACE, "strict": True}}
GOOD = '{"where": "Oslo"}'


def call(arguments: Any = GOOD, name: Any = "look", **more: Any) -> dict[str, Any]:
    return {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}} | more


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
async def inference(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Inference]:
    async with serving(upstream.app) as url:
        source = {"base_url": f"{url}/v1", "upstream_model": "m"}
        far = {"name": "far", "kind": "chat", "engine": "openai", "context_length": 1000, "source": source}
        far |= {"default": True, "queue": {"at_once": 1}}
        async with running_inference(tmp_path, [far, EMBEDDING]) as service:
            yield service
            assert await service.metric("groundwork_inference_running") == 0
            assert await service.metric("groundwork_inference_waiting") == 0


def whole(*calls: Any, content: str | None = None, reason: str = "tool_calls") -> Response:
    message = {"role": "assistant", "content": content, **({"tool_calls": list(calls)} if calls else {})}
    return JSONResponse({"choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": USAGE})


def streamed(upstream: Upstream, *parts: list[Any], content: str | None = None, reason: str = "tool_calls") -> Response:
    """A stream whose deltas have these `tool_calls`."""
    lines = [chunk(content)] if content else []
    lines += [chunk(delta={"tool_calls": part}) for part in parts]
    usage = f"data: {json.dumps({'choices': [], 'usage': USAGE})}\n\n"
    return upstream.streaming(*lines, chunk(reason=reason), usage, DONE)


def in_parts(call: dict[str, Any], index: int = 0) -> list[list[Any]]:
    """As OpenAI and vLLM stream a call."""
    function = call["function"]
    head = {**call, "index": index, "function": {"name": function["name"], "arguments": ""}}
    text = function["arguments"]
    pieces = [text[at : at + 3] for at in range(0, len(text), 3)]
    return [[head], *([{"index": index, "function": {"arguments": piece}}] for piece in pieces)]


def _extend(calls: list[dict[str, Any]], part: dict[str, Any]) -> None:
    """Put a part to its call, as clients do."""
    if part["index"] == len(calls):
        calls.append({key: part[key] for key in part if key != "index"})
    elif "function" in part:
        calls[part["index"]]["function"]["arguments"] += part["function"]["arguments"]


async def ask(inference: Inference, stream: bool, **more: Any) -> tuple[int, dict[str, Any], Any]:
    """Status, the message with its finish_reason, and the usage (or the error)."""
    body = {"model": "far", "messages": [{"role": "user", "content": "Look"}], "tools": [LOOK, STRICT], **more}
    body |= {"stream": stream, **({"stream_options": {"include_usage": True}} if stream else {})}
    async with inference.post("/v1/chat/completions", body) as answer:
        text = await answer.text()
    if answer.status != 200:
        return answer.status, {}, json.loads(text)["error"]
    if not stream:
        choice = json.loads(text)["choices"][0]
        return 200, {**choice["message"], "reason": choice["finish_reason"]}, json.loads(text)["usage"]
    message: dict[str, Any] = {"content": None, "reason": None}
    usage = None
    for block in text.strip().split("\n\n"):
        if block.startswith("event: error"):
            return 502, message, json.loads(block.partition("data: ")[2])["error"]
        if block == "data: [DONE]":
            continue
        chunk = json.loads(block.removeprefix("data: "))
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            delta = choice["delta"]
            if delta.get("content"):
                message["content"] = (message["content"] or "") + delta["content"]
            for part in delta.get("tool_calls") or ():
                _extend(message.setdefault("tool_calls", []), part)
            message["reason"] = choice["finish_reason"] or message["reason"]
    return 200, message, usage


async def test_calls_that_can_be_read_are_passed_on_as_they_were_written(
    inference: Inference, upstream: Upstream
) -> None:
    odd = call('{ "where":"Oslo" }', extra_content={"signature": "x"})
    upstream.answers = [whole(odd), streamed(upstream, *in_parts(odd))]
    for stream in (False, True):
        status, message, usage = await ask(inference, stream)
        assert (status, message["tool_calls"], message["reason"], usage) == (200, [odd], "tool_calls", USAGE)
    assert upstream.calls == 2


async def test_several_calls_are_put_together_however_a_server_numbers_them(
    inference: Inference, upstream: Upstream
) -> None:
    one, two = call(id="a"), call('{"where": "Rome"}', id="b")
    ways = [
        [*in_parts(one), *in_parts(two, 1)],
        [[{"index": 0, **one}], [{"index": 0, **two}]],  # each whole, and each number 0
        [[one, two]],
        [
            [part | {"id": "a", "function": {"name": "look", **part["function"]}} for part in parts]
            for parts in in_parts(one)
        ]
        + in_parts(two, 1),  # id and name again in each part
    ]
    upstream.answers = [streamed(upstream, *parts) for parts in ways]
    for _ in ways:
        _, message, _ = await ask(inference, True)
        assert message["tool_calls"] == [one, two]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("", "{}"),
        (None, "{}"),
        ({"where": "Oslo"}, GOOD),
        (json.dumps(GOOD), GOOD),
        (f"```json\n{GOOD}\n```", GOOD),
    ],
)
async def test_what_can_be_mended_safely_is(
    inference: Inference, upstream: Upstream, written: Any, means: str, stream: bool
) -> None:
    bare = {"function": {"name": "look", "arguments": written}}
    upstream.answer = streamed(upstream, [bare]) if stream else whole(bare)
    status, message, usage = await ask(inference, stream)
    assert (status, usage, upstream.calls) == (200, USAGE, 1)
    (mended,) = message["tool_calls"]
    assert mended["function"] == {"name": "look", "arguments": means}
    assert mended["id"]
    assert mended["type"] == "function"


BROKEN = [call('{"where": oops'), call("[1]"), call("Oslo"), call(GOOD * 2), call('{"a": NaN}'), call("{}", "strictly")]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("broken", BROKEN, ids=lambda call: str(call["function"]))
async def test_arguments_that_can_not_be_read_are_passed_on_and_the_server_is_asked_once(
    inference: Inference, upstream: Upstream, broken: dict[str, Any], stream: bool
) -> None:
    upstream.answer = streamed(upstream, *in_parts(broken), content="Let me see.") if stream else whole(broken)
    status, message, usage = await ask(inference, stream)
    assert (status, message["tool_calls"], message["reason"], usage) == (200, [broken], "tool_calls", USAGE)
    assert upstream.calls == 1


async def test_the_name_and_each_part_of_the_arguments_go_on_while_the_server_writes(
    inference: Inference, upstream: Upstream
) -> None:
    parts = in_parts(call())
    upstream.stream(*(chunk(delta={"tool_calls": part}) for part in parts), then_hang=True)
    body = {"model": "far", "messages": [{"role": "user", "content": "Look"}], "tools": [LOOK], "stream": True}
    got: list[dict[str, Any]] = []
    async with inference.post("/v1/chat/completions", body) as answer:
        while len(got) < len(parts):
            line = await answer.content.readline()
            if line.startswith(b"data: "):
                got += json.loads(line[6:])["choices"][0]["delta"]["tool_calls"]
    assert (got[0]["function"]["name"], got[0]["function"]["arguments"]) == ("look", "")
    assert [part["function"]["arguments"] for part in got[1:]] == [p[0]["function"]["arguments"] for p in parts[1:]]


@pytest.mark.parametrize("stream", [False, True])
async def test_what_there_is_of_a_call_when_the_answer_is_cut_is_given(
    inference: Inference, upstream: Upstream, stream: bool
) -> None:
    calls = [call(id="a"), call('{"where": "Os', id="b")]
    upstream.answers = [streamed(upstream, calls, reason="length") if stream else whole(*calls, reason="length")]
    status, message, _ = await ask(inference, stream)
    assert (status, message["reason"], message["tool_calls"]) == (200, "length", calls)


@pytest.mark.parametrize("stream", [False, True])
async def test_names_and_arguments_that_do_not_fit_are_left_to_the_caller_and_other_kinds_untouched(
    inference: Inference, upstream: Upstream, stream: bool
) -> None:
    calls = [call("{}", id="a"), call(name="no_such", id="b"), {"id": "c", "type": "custom", "custom": {"input": "{"}}]
    upstream.answer = streamed(upstream, *([each] for each in calls)) if stream else whole(*calls)
    _, message, _ = await ask(inference, stream)
    assert message["tool_calls"] == calls


async def test_what_was_done_to_calls_is_counted(inference: Inference, upstream: Upstream) -> None:
    async def counted(how: str) -> float:
        return await inference.metric(f'groundwork_inference_tool_calls_total{{how="{how}",model="far"}}')

    hows = ("as_written", "mended", "malformed")
    before = [await counted(how) for how in hows]
    for stream in (False, True):
        for each in (call(), call(""), BROKEN[0]):
            upstream.answer = streamed(upstream, [each]) if stream else whole(each)
            await ask(inference, stream)
    assert [await counted(how) - then for how, then in zip(hows, before, strict=True)] == [2, 2, 2]
