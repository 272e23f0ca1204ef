"""What a caller may write in another way than was meant: no limit, no right and no guard is passed by a spelling."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.support.gateway.running import DEADLINE_SECONDS, RunningGateway, Servers, running_gateway

from gateway.bootstrap import create_app
from gateway.limits.memory_limiter import MemoryLimiter
from gateway.streaming import exchange as forwarding
from servicekit.core.clock import SystemClock

MIB = 1024 * 1024
HELLO = [{"role": "user", "content": "hello"}]
CHAT = json.dumps({"model": "echo", "messages": HELLO}).encode()


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running_gateway(tmp_path, limiter=MemoryLimiter(SystemClock())) as running:
        yield running


async def _raw(gateway: RunningGateway, line: bytes, headers: bytes = b"", body: bytes = CHAT) -> tuple[int, bytes]:
    """Status and body of one call as it is written."""
    parts = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    if b"content-length" not in headers.lower():
        headers += b"Content-Length: %d\r\n" % len(body)
    writer.write(line + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers + b"\r\n" + body)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            head, _, answer = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    return int(head.split(b" ", 2)[1]), answer


def _bearer(key: str) -> bytes:
    return b"Authorization: Bearer " + key.encode() + b"\r\n"


SPELLINGS = [
    b"/v1/chat/completions",
    b"/v1%2Fchat/completions",
    b"/%76%31/chat/completions",
    b"http://elsewhere/v1/chat/completions",
    b"/v1/chat/completions?key=x",
    b"//v1/chat/completions",
    b"/v1//chat/completions",
    b"/v1/chat/completions/",
    b"/v1/chat/completions%2F",
    b"/v1/chat/completions%00",
    b"/v1/chat/./completions",
    b"/v1/x/../chat/completions",
    b"/v1/x/%2e%2e/chat/completions",
    b"/V1/chat/completions",
    b"/v1/chat/completions;a=b",
]


def _asked(gateway: RunningGateway) -> int:
    """How many calls have reached a model."""
    return sum(call["peer"] == "inference" for call in gateway.seen.calls)


async def test_however_a_path_is_written_it_needs_a_key_and_counts(gateway: RunningGateway) -> None:
    reached = 0
    for path in SPELLINGS:
        created = await gateway.new_key(limits={"requests_per_minute": 1})
        assert (await _raw(gateway, b"POST " + path))[0] in (400, 401, 404), path
        answers = [await _raw(gateway, b"POST " + path, _bearer(created["secret"])) for _ in range(2)]
        assert [status for status, _ in answers] in ([200, 429], [404, 404], [400, 400]), path
        reached += answers[0][0] == 200
    assert _asked(gateway) == reached == 4


async def test_an_app_that_is_mounted_below_a_prefix_holds_its_limits_there_too(gateway: RunningGateway) -> None:
    settings, servers = gateway.deps.settings, Servers()
    app = create_app(settings, gateway.deps)
    app.state.dependencies = gateway.deps  # a mounted app gets no lifespan of its own
    created = await gateway.new_key(limits={"requests_per_minute": 1})
    try:
        gateway.url = await servers.start(Starlette(routes=[Mount("/ai", app)])) + "/ai"
        for path in ("/v1/chat/completions", "/v1/collections/handbook/search"):
            assert (await gateway.call("POST", path, "nonsense", data=CHAT)).status == 401
        answers = [await gateway.call("POST", "/v1/chat/completions", created["secret"], data=CHAT) for _ in range(2)]
        assert [answer.status for answer in answers] == [200, 429]
        large = b"x" * (settings.max_body_bytes + 1)
        headers = {"Content-Type": "application/json"}
        answer = await gateway.call("POST", "/v1/keys", data=io.BytesIO(large), headers=headers)
        assert answer.status == 413
        answer = await gateway.call("POST", "/v1/collections/handbook/documents", data={"file": io.BytesIO(large)})
        assert answer.status == 202
    finally:
        await servers.close()


async def test_no_name_in_a_path_makes_room_for_a_larger_body(gateway: RunningGateway) -> None:
    headers = b"Content-Type: multipart/form-data\r\nContent-Length: %d\r\n" % (17 * MIB)
    for path in (b"/v1/keys/documents:restore", b"/v1/x/y/documents:restore", b"/v1/keys/documents"):
        status, _ = await _raw(gateway, b"PATCH " + path, _bearer(gateway.admin_key) + headers, b"")
        assert status == 413, path


async def test_who_has_no_key_is_told_so_before_a_body_is_read(gateway: RunningGateway) -> None:
    for line in (b"POST /v1/keys", b"PUT /v1/routes/x", b"POST /v1/collections/a/search", b"POST /mcp", b"GET /v1/x"):
        status, answer = await _raw(gateway, line, b"Content-Length: 16000000\r\n", b"{")
        assert (status, json.loads(answer)["error"]["code"]) == (401, "missing_key"), line


async def test_two_keys_are_none(gateway: RunningGateway) -> None:
    key = _bearer(gateway.admin_key)
    for second in (b"authorization: Bearer nonsense\r\n", b"AUTHORIZATION:\r\n", key):
        for path in (b"/v1/chat/completions", b"/v1/keys"):
            for headers in (key + second, second + key):
                status, answer = await _raw(gateway, b"POST " + path, headers)
                assert (status, json.loads(answer)["error"]["code"]) == (401, "ambiguous_key"), headers


async def _chat(gateway: RunningGateway, key: str, body: str | bytes) -> tuple[int, dict[str, Any]]:
    headers = {"Content-Type": "application/json"}
    answer = await gateway.call("POST", "/v1/chat/completions", key, data=body, headers=headers)
    return answer.status, json.loads((await answer.text()).partition("\n\n")[0].removeprefix("data: "))


MESSAGES = json.dumps(HELLO)


NAMES = [
    '"model": "echo", "model": "free"',
    '"model": "echo", "Model": "free"',
    '"Model": "free", "model": "echo"',
    '"model": "echo", "MODEL": "free"',
    '"model": " free"',
    '"model": "free "',
    '"model": "FREE"',
    '"model": "fre\\u0065"',
    '"model": "free\\u0000"',
    '"model": "echo\\u0000free"',
    '"model": ["echo", "free"]',
    '"model": "echo", "groundwork": {"model": "free"}',
]


async def test_no_spelling_of_a_models_name_reaches_one_that_the_key_may_not_use(gateway: RunningGateway) -> None:
    created = await gateway.new_key(models=["echo"])
    for names in NAMES:
        status, _ = await _chat(gateway, created["secret"], f'{{{names}, "messages": {MESSAGES}}}')
        assert status in (400, 404, 422), names
    assert _asked(gateway) == 0


async def test_of_two_fields_with_one_name_the_one_that_is_checked_is_the_one_that_is_sent(
    gateway: RunningGateway,
) -> None:
    created = await gateway.new_key(models=["echo"], limits={"tokens_per_minute": 1000})
    body = f'{{"model": "free", "model": "echo", "max_tokens": 5000, "max_tokens": 7, "messages": {MESSAGES}}}'
    assert (await _chat(gateway, created["secret"], body))[0] == 200
    sent = gateway.seen.last("inference")["body"]
    assert (sent["model"], sent["max_tokens"]) == ("echo", 7)


async def test_fields_of_embeddings_have_one_spelling_too(gateway: RunningGateway) -> None:
    created = await gateway.new_key(models=["mini"])
    for field in ("Model", "MODEL", "Input", "Priority"):
        body = {"model": "mini", "input": "x", field: "free"}
        answer = await gateway.call("POST", "/v1/embeddings", created["secret"], json=body)
        assert (answer.status, (await answer.json())["error"]["param"]) == (422, field)


async def test_a_messages_fields_have_one_spelling(gateway: RunningGateway) -> None:
    for fields in ('"role": "user", "Content": "x"', '"Role": "system", "role": "user"'):
        body = f'{{"model": "echo", "messages": [{{{fields}, "content": "y"}}]}}'
        status, answer = await _chat(gateway, gateway.admin_key, body)
        assert (status, answer["error"]["param"].startswith("messages.0.")) == (422, True), fields


WISHES = [
    '"max_tokens": 2000, "max_completion_tokens": 1',
    '"max_tokens": 1, "max_completion_tokens": 2000',
    '"max_tokens": 1, "n_predict": 2000',
    '"max_tokens": 1, "n_predict": -1',
    '"max_tokens": 1, "max_new_tokens": "2000"',
    '"max_tokens": 1, "num_predict": 2000.0',
    '"max_tokens": 150, "n": 16',
    '"max_tokens": 150, "best_of": 20',
    '"max_tokens": "2000"',
    '"max_tokens": 2e3',
]


async def test_no_wish_for_a_long_answer_passes_a_limit_of_tokens(gateway: RunningGateway) -> None:
    created = await gateway.new_key(limits={"tokens_per_minute": 1000})
    for wish in WISHES:
        body = f'{{"model": "echo", {wish}, "messages": {MESSAGES}}}'
        status, answer = await _chat(gateway, created["secret"], body)
        assert (status, answer["error"]["code"]) == (400, "call_too_large"), wish


async def test_no_stream_options_make_a_stream_free(gateway: RunningGateway) -> None:
    options = ("null", "{}", '{"include_usage": false}', '{"include_usage": false, "x": 1}')
    for option in options:
        body = f'{{"model": "echo", "stream": "true", "stream_options": {option}, "messages": {MESSAGES}}}'
        assert (await _chat(gateway, gateway.admin_key, body))[0] == 200
    for row in await gateway.usage_rows(len(options)):
        assert (row["prompt_tokens"], row["completion_tokens"], row["estimated"]) == (100, 10, False)
        assert row["streamed"]


AMBIGUOUS = [
    b'{"model": "echo", "messages": ' + MESSAGES.encode() + b', "x": NaN}',
    b'{"model": "echo", "messages": ' + MESSAGES.encode() + b', "x": 1e999}',
    b'{"model": "echo", "messages": ' + MESSAGES.encode() + b', "x": ' + b"[" * 200 + b"]" * 200 + b"}",
    b'{"model": "echo", "messages": ' + MESSAGES.encode() + b', "seed": 99999999999999999999}',
    b'{"model": "echo", "messages": ' + MESSAGES.encode() + b', "max_tokens": ' + b"9" * 5000 + b"}",
    b'{"model": "echo", "messages": [{"role": "user", "content": "\xff"}]}',
    b'{"model": "echo", "messages": [{"role": "user", "content": "\\ud800"}]}',
    b"\xef\xbb\xbf" + CHAT,
    CHAT + b" trailing",
    CHAT.decode().encode("utf-16"),
]


async def test_what_servers_read_in_different_ways_goes_to_none(gateway: RunningGateway) -> None:
    for body in AMBIGUOUS:
        assert (await _chat(gateway, gateway.admin_key, body))[0] == 422, body[:80]
    assert _asked(gateway) == 0


async def test_a_body_that_does_not_come_gives_its_place_back(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "BODY_SECONDS", 0.2)
    headers = _bearer(gateway.admin_key) + b"Content-Length: 1000\r\n"
    status, answer = await _raw(gateway, b"POST /v1/chat/completions", headers, b'{"model": ')
    assert (status, json.loads(answer)["error"]["code"]) == (400, "body_too_slow")
