"""An OpenAI-compatible server that fails in every way: each becomes the documented error, before or in the stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import StreamingResponse
from tests.support.inference.fake_upstream import DONE, Upstream, chunk
from tests.support.inference.running import EMBEDDING, Inference, running_inference, serving


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def upstream_seconds() -> float:
    """What inference bears of a silent server; a test of one parametrizes it."""
    return 60.0


hasty = pytest.mark.parametrize("upstream_seconds", [0.5])


@pytest.fixture
async def inference(upstream: Upstream, tmp_path: Path, upstream_seconds: float) -> AsyncIterator[Inference]:
    async with serving(upstream.app) as url:
        source = {"base_url": f"{url}/v1", "upstream_model": "org/far-model", "api_key_env": "TEST_NO_SUCH_KEY"}
        chat = {"name": "far", "kind": "chat", "engine": "openai", "context_length": 1000, "source": source}
        models = [chat | {"default": True}, EMBEDDING]
        async with running_inference(tmp_path, models, upstream_seconds=upstream_seconds) as service:
            yield service


def ask(**more: Any) -> dict[str, Any]:
    return {"model": "far", "messages": [{"role": "user", "content": "Hello"}], **more}


async def failure(inference: Inference, **more: Any) -> tuple[int, dict[str, Any], dict[str, str]]:
    async with inference.post("/v1/chat/completions", ask(**more)) as answer:
        return answer.status, (await answer.json())["error"], dict(answer.headers)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("said", "becomes", "code"),
    [
        (400, 400, "upstream_refused"),
        (401, 502, "upstream_error"),
        (404, 502, "upstream_error"),
        (429, 429, "queue_full"),
        (500, 502, "upstream_error"),
        (503, 503, "model_not_ready"),
    ],
)
async def test_a_failure_has_our_status_and_code_whether_it_should_have_streamed_or_not(
    inference: Inference, upstream: Upstream, said: int, becomes: int, code: str, stream: bool
) -> None:
    upstream.say(said, {"error": {"message": "secret words", "type": "whatever_error"}}, **{"Retry-After": "7"})
    status, error, headers = await failure(inference, stream=stream)
    assert (status, error["code"]) == (becomes, code)
    assert ("secret words" in error["message"]) == (said == 400)
    assert headers.get("Retry-After") == {429: "7", 503: "7"}.get(becomes)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("said", [404, 405, 501])
async def test_a_server_that_has_chats_only_has_not_failed_when_somebody_asks_it_for_completions(
    inference: Inference, upstream: Upstream, said: int, stream: bool
) -> None:
    upstream.say(said, {"error": {"message": "Did you mean chat?", "type": "invalid_request_error"}})
    status, error, _ = await failure(inference, raw_prompts=True, stream=stream)
    assert upstream.path == "/v1/completions"
    assert (status, error["code"], error["param"]) == (400, "not_for_completions", "model")
    assert "POST /v1/chat/completions" in error["message"]


async def test_a_context_that_is_too_long_for_the_server_has_the_same_code_everywhere(
    inference: Inference, upstream: Upstream
) -> None:
    words = "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens."
    upstream.say(400, {"object": "error", "message": words, "error": {"message": words, "code": 400}})
    status, error, _ = await failure(inference)
    assert (status, error["code"], error["param"]) == (400, "context_length_exceeded", "messages")


@pytest.mark.parametrize(
    "first", ['data: {"error": {"message": "boom", "code": 500}}\n\n', 'event: error\ndata: "boom"\n\n']
)
async def test_an_error_in_the_first_frame_of_a_200_stream_is_an_ordinary_error(
    inference: Inference, upstream: Upstream, first: str
) -> None:
    upstream.stream(first, DONE)
    status, error, _ = await failure(inference, stream=True)
    assert (status, error["code"]) == (502, "upstream_error")


async def test_an_overload_in_the_first_frame_is_429(inference: Inference, upstream: Upstream) -> None:
    upstream.stream('data: {"error": {"message": "busy", "code": 429}}\n\n')
    status, error, headers = await failure(inference, stream=True)
    assert (status, error["type"]) == (429, "overloaded")
    assert headers["Retry-After"]


@pytest.mark.parametrize(
    "rest",
    [
        ['data: {"error": {"message": "boom"}}\n\n'],
        ['data: {"choices": [{"delta": {"con'],
        ["data: not json\n\n"],
        [],
    ],
)
async def test_a_stream_that_fails_in_the_middle_ends_with_one_error_event_and_no_done(
    inference: Inference, upstream: Upstream, rest: list[str]
) -> None:
    upstream.stream(chunk("Hel"), *rest)
    async with inference.post("/v1/chat/completions", ask(stream=True)) as answer:
        text = await answer.text()
    assert answer.status == 200
    assert '"content":"Hel"' in text
    assert text.count("event: error") == 1
    assert "upstream_error" in text
    assert "[DONE]" not in text


@pytest.mark.parametrize("body", [{}, {"choices": []}, ["x"], {"error": "at capacity"}])
async def test_a_whole_answer_that_is_none_is_502(inference: Inference, upstream: Upstream, body: Any) -> None:
    upstream.say(200, body)
    status, error, _ = await failure(inference)
    assert (status, error["code"]) == (502, "upstream_error")


@hasty
async def test_a_server_that_hangs_is_504_within_the_configured_time(inference: Inference, upstream: Upstream) -> None:
    upstream.stream(then_hang=True)
    async with asyncio.timeout(60):
        status, error, _ = await failure(inference, stream=True)
    assert (status, error["type"]) == (504, "upstream_timeout")


async def test_a_server_that_is_away_is_503_and_readiness_says_so(tmp_path: Path) -> None:
    source = {"base_url": "http://127.0.0.1:9/v1", "upstream_model": "m"}
    spare = {"name": "far", "kind": "chat", "engine": "openai", "context_length": 1000, "source": source}
    near = {"name": "near", "kind": "chat", "engine": "scripted", "context_length": 100, "default": True}
    async with running_inference(tmp_path, [near, spare, EMBEDDING]) as inference:
        status, error, _ = await failure(inference)
        assert (status, error["type"]) == (503, "overloaded")
        async with inference.session.get(f"{inference.url}/readyz") as ready:
            assert (
                "The server behind the model 'far' can't be reached"
                in (await ready.json())["parts"]["model:far"]["detail"]
            )
        async with inference.post("/v1/tokenize", {"model": "far", "prompt": "x"}) as answer:  # not OpenAI's: beside it
            assert "The server behind the model 'far'" in (await answer.json())["error"]["message"]


async def test_fields_that_we_do_not_know_pass_both_ways(inference: Inference, upstream: Upstream) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "hm"}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls", "logprobs": None}
    upstream.say(200, {"choices": [choice], "usage": {"total_tokens": 3}, "system_fingerprint": "fp"})
    async with inference.post(
        "/v1/chat/completions", ask(tools=tools, top_k=3, n=2, chat_template_kwargs={"a": 1})
    ) as got:
        body = await got.json()
    assert upstream.sent == ask(tools=tools, top_k=3, n=2, chat_template_kwargs={"a": 1}) | {
        "model": "org/far-model",
        "stream": False,
    }
    assert "authorization" not in upstream.headers
    assert upstream.headers["x-request-id"] == got.headers["X-Request-Id"]
    assert body["choices"] == [choice]
    assert (body["model"], body["system_fingerprint"]) == ("far", "fp")


async def test_a_stream_passes_deltas_and_moves_usage_to_the_end(inference: Inference, upstream: Upstream) -> None:
    usage = {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 1},
    }
    last = f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n"
    upstream.stream(": ping\n\n", chunk("Hel", reasoning="x"), chunk("lo", reason="stop"), last, DONE)
    async with inference.post("/v1/chat/completions", ask(stream=True, stream_options={"include_usage": True})) as got:
        blocks = (await got.text()).strip().split("\n\n")
    chunks = [json.loads(block.removeprefix("data: ")) for block in blocks[:-1]]
    assert blocks[-1] == "data: [DONE]"
    assert upstream.sent["stream_options"] == {"include_usage": True}
    assert "".join(c["choices"][0]["delta"]["content"] for c in chunks[:-1]) == "Hello"
    assert chunks[0]["choices"][0]["reasoning"] == "x"
    assert chunks[-1]["usage"] == usage
    assert {c["model"] for c in chunks} == {"far"}


async def test_a_caller_that_leaves_ends_the_servers_work(inference: Inference, upstream: Upstream) -> None:
    upstream.stream(chunk("Hel"), then_hang=True)
    async with inference.post("/v1/chat/completions", ask(stream=True)) as answer:
        await answer.content.readany()
        answer.close()
    async with asyncio.timeout(60):
        await upstream.left.wait()


@hasty
@pytest.mark.parametrize("stream", [False, True])
async def test_a_server_that_only_keeps_its_connection_open_has_timed_out(
    inference: Inference, upstream: Upstream, stream: bool
) -> None:
    async def blanks() -> AsyncIterator[str]:
        while True:
            yield ": still here\n\n" if stream else " "
            await asyncio.sleep(0.05)  # the server's pace

    kind = "text/event-stream" if stream else "application/json"
    upstream.answer = StreamingResponse(blanks(), media_type=kind)
    async with asyncio.timeout(60):
        status, error, _ = await failure(inference, stream=stream)
    assert (status, error["code"]) == (504, "upstream_timeout")


@pytest.mark.parametrize("part", [[1], "x", 5])
async def test_an_answer_of_another_shape_is_the_servers_failure(
    inference: Inference, upstream: Upstream, part: Any
) -> None:
    for stream in (False, True):
        upstream.say(200, {"choices": [{"index": 0, "message": part, "finish_reason": "stop"}]})
        if stream:
            upstream.stream(chunk(delta=part), DONE)
        status, error, _ = await failure(inference, stream=stream)
        assert (status, error["code"]) == (502, "upstream_error")
    assert await inference.metric("groundwork_inference_running") == 0


async def test_servers_are_not_asked_to_compress_what_is_passed_on_as_it_comes(
    inference: Inference, upstream: Upstream
) -> None:
    message = {"role": "assistant", "content": "Hello"}
    upstream.say(200, {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": {}})
    async with inference.post("/v1/chat/completions", ask()) as got:
        assert got.status == 200
    assert upstream.headers["accept-encoding"] == "identity"


async def test_a_length_beyond_all_numbers_is_refused_and_takes_no_place(
    inference: Inference, upstream: Upstream
) -> None:
    status, error, _ = await failure(inference, max_tokens=10**400)
    assert (status, error["param"]) == (422, "max_tokens")
    assert await inference.metric("groundwork_inference_waiting") == 0
    assert await inference.metric("groundwork_inference_waiting_tokens") == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_a_failed_call_has_the_model_asked_at_once_though_it_answered_lately(
    upstream: Upstream, tmp_path: Path, stream: bool
) -> None:
    async with serving(upstream.app) as url:
        source = {"base_url": f"{url}/v1", "upstream_model": "m"}
        chat = {"name": "far", "kind": "chat", "engine": "openai", "context_length": 1000, "source": source}
        async with running_inference(
            tmp_path, [chat | {"default": True, "probe_seconds": 600}, EMBEDDING]
        ) as inference:
            upstream.stream(chunk("Hello", reason="stop"), DONE)
            async with inference.post("/v1/chat/completions", ask(stream=True)) as answer:
                assert "[DONE]" in await answer.text()
            probes = upstream.probes
            for status, asked in ((200, 0), (400, 0), (500, 1)):
                upstream.say(status, {"choices": [{"index": 0, "message": {}, "finish_reason": "stop"}]})
                if stream and status == 200:
                    upstream.stream(chunk("Hello", reason="stop"), DONE)
                async with inference.post("/v1/chat/completions", ask(stream=stream)) as answer:
                    await answer.read()
                    assert (answer.status >= 400) == (status != 200)
                async with inference.session.get(f"{inference.url}/readyz") as ready:
                    await ready.read()
                assert upstream.probes - probes == asked
