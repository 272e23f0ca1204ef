"""A large body costs who may not send it, and everybody else, as good as nothing."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.support.gateway.running import DEADLINE_SECONDS, RunningGateway, running_gateway

from contracts.models.chat import ChatRequest
from gateway.limits.memory_limiter import MemoryLimiter
from servicekit.core.clock import SystemClock
from servicekit.web.json_bodies import LARGE_BYTES

HELLO = [{"role": "user", "content": "hello"}]
SMALL = json.dumps({"model": "echo", "max_tokens": 1, "messages": HELLO}).encode()
LARGE = json.dumps({"model": "echo", "max_tokens": 1, "messages": HELLO, "x": "x" * 2 * LARGE_BYTES}).encode()
PATHS = (
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/rerank",
    "/v1/classify",
    "/v1/moderations",
    "/v1/collections/handbook/search",
)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running_gateway(tmp_path, limiter=MemoryLimiter(SystemClock()), reranker=True) as running:
        yield running


async def _head_alone(gateway: RunningGateway, path: str, key: str, length: bytes) -> tuple[int, str]:
    """Status and code of the answer to a call whose body is never sent."""
    parts = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n".encode()
        + length
        + b"\r\nContent-Type: application/json\r\n\r\n"
    )
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            head, _, answer = (await _answer(reader)).partition(b"\r\n\r\n")
    finally:
        writer.close()
    return int(head.split(b" ", 2)[1]), json.loads(answer)["error"]["code"]


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    return head + await reader.readexactly(length)


async def _post(gateway: RunningGateway, key: str, body: bytes) -> int:
    headers = {"Content-Type": "application/json"}
    answer = await gateway.call("POST", PATHS[0], key, data=body, headers=headers)
    return answer.status


@pytest.mark.parametrize(
    "length", [b"Content-Length: 15500000", b"Transfer-Encoding: chunked"], ids=["told", "chunked"]
)
async def test_a_key_over_its_requests_is_refused_before_its_body_is_read(
    gateway: RunningGateway, length: bytes
) -> None:
    key = (await gateway.new_key(limits={"requests_per_minute": 1}))["secret"]
    assert await _post(gateway, key, SMALL) == 200
    for path in PATHS:
        assert await _head_alone(gateway, path, key, length) == (429, "key_requests_per_minute"), path


async def test_a_key_without_a_free_place_is_refused_before_its_body_is_read(gateway: RunningGateway) -> None:
    key = (await gateway.new_key(limits={"concurrency": 1}))["secret"]
    parts = urlsplit(gateway.url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"POST {PATHS[0]} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n".encode())
    writer.write(b"Content-Length: 15500000\r\n\r\n{")
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await _head_alone(gateway, PATHS[0], key, b"Content-Length: 15500000") != (429, "key_concurrency"):
            pass
    writer.close()
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await _post(gateway, key, LARGE) != 200:  # its place is free once it has left
            pass


async def test_a_large_call_that_its_tokens_refuse_has_used_up_no_request_and_no_place(gateway: RunningGateway) -> None:
    limits = {"requests_per_minute": 2, "concurrency": 1, "tokens_per_minute": 1000}
    key = (await gateway.new_key(limits=limits))["secret"]
    for _ in range(3):
        assert await _post(gateway, key, LARGE) == 400  # more tokens than a minute has
    assert [await _post(gateway, key, body) for body in (SMALL, SMALL, SMALL)] == [200, 200, 429]


async def test_a_large_body_that_is_bad_counts_as_one_request_and_gives_its_place_back(gateway: RunningGateway) -> None:
    key = (await gateway.new_key(limits={"requests_per_minute": 2, "concurrency": 1}))["secret"]
    assert [await _post(gateway, key, body) for body in (LARGE[:-1], SMALL, SMALL)] == [422, 200, 429]


async def test_a_body_of_millions_of_objects_is_refused_before_it_is_parsed(gateway: RunningGateway) -> None:
    many = b'{"model":"echo","messages":[{"role":"user","content":"hi"}],"x":[' + b"{}," * 300_000 + b"{}]}"
    for path in (*PATHS, "/mcp", "/v1/agents", "/v1/collections"):
        headers = {"Content-Type": "application/json"}
        answer = await gateway.call("POST", path, data=many, headers=headers)
        assert answer.status == 413, path
        assert (await answer.json())["error"]["code"] == "too_many_values"


async def test_others_are_answered_while_a_large_body_is_checked(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, may_go_on = threading.Event(), threading.Event()
    check = ChatRequest.model_validate_json

    def waiting(body: bytes) -> ChatRequest:
        if len(body) > LARGE_BYTES:
            entered.set()
            assert may_go_on.wait(DEADLINE_SECONDS)
        return check(body)

    monkeypatch.setattr(ChatRequest, "model_validate_json", waiting)
    large = asyncio.create_task(_post(gateway, gateway.admin_key, LARGE))
    assert await asyncio.to_thread(entered.wait, DEADLINE_SECONDS)
    assert (await gateway.call("GET", "/healthz")).status == 200
    assert await _post(gateway, gateway.admin_key, SMALL) == 200
    assert not large.done()
    may_go_on.set()
    assert await large == 200
