"""Paths, methods and origins as clients and pages send them: one spelling, `HEAD` for each `GET`, CORS by setting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from tests.support.gateway.running import DEADLINE_SECONDS, RunningGateway, running_gateway
from yarl import URL

from gateway.limits.memory_limiter import MemoryLimiter
from servicekit.core.clock import SystemClock

PAGE, TOOL, STRANGER = "https://chat.example.org", "https://tool.example.org", "https://evil.example.org"
HELLO = [{"role": "user", "content": "hello"}]
CHAT = "/v1/chat/completions"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    origins = {"cors_origins": f"{PAGE}, https://other.example.org/", "mcp_origins": TOOL}
    async with running_gateway(tmp_path, limiter=MemoryLimiter(SystemClock()), **origins) as running:
        yield running


async def _plain(gateway: RunningGateway, method: str, path: str, key: str | None = None) -> aiohttp.ClientResponse:
    """A call with its path as it is written; the admin key where none is given, no key where it is empty."""
    secret = gateway.admin_key if key is None else key
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    url = URL(gateway.url + path, encoded=True)
    async with gateway.session.request(method, url, headers=headers) as answer:
        await answer.read()
        return answer


async def _preflight(gateway: RunningGateway, path: str, origin: str) -> aiohttp.ClientResponse:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-stainless-lang",
        "Access-Control-Request-Private-Network": "true",
    }
    async with gateway.session.options(gateway.url + path, headers=headers) as answer:
        await answer.read()
        return answer


NEEDLESS = [
    "/v1/%63ollections",
    "/v1%2Fcollections",
    "/%76%31/collections",
    "/v1/collections%2f",
    "/v1/collections/handbook/documents/d1%2ftext",
    "/v1/collections/handbook/documents/d1%5Ctext",
    "/v1/collections%00",
    "/v1/jobs/%2e%2e/collections",
    "/%68ealthz",
    "/v1/%6beys",
]


async def test_a_path_has_one_spelling(gateway: RunningGateway) -> None:
    for path in NEEDLESS:
        answer = await _plain(gateway, "GET", path)
        assert (answer.status, (await answer.json())["error"]["code"]) == (400, "path_spelling"), path
        assert answer.headers["X-Request-Id"]
    assert gateway.seen.calls == []


async def test_a_name_with_a_slash_or_a_colon_is_found_as_sdks_escape_it(gateway: RunningGateway) -> None:
    body = {"targets": [{"model": "echo"}]}
    assert (await gateway.call("PUT", "/v1/routes/team/fast", json=body)).status == 200
    assert (await _plain(gateway, "DELETE", "/v1/routes/team%2Ffast")).status == 204


async def test_a_slash_at_the_end_is_the_same_path_and_health_is_healthz(gateway: RunningGateway) -> None:
    for path in (
        "/v1/models/",
        "/v1/keys/",
        "/v1/tenants/",
        "/health",
        "/health/",
        "/healthz/",
        "/readyz/",
    ):
        assert (await _plain(gateway, "GET", path)).status == 200, path
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert (await gateway.call("POST", "/mcp/", json=ping)).status == (
        await gateway.call("POST", "/mcp", json=ping)
    ).status
    answer = await gateway.call("POST", CHAT + "/", json={"model": "echo", "messages": HELLO})
    assert answer.status == 200
    for path in ("/v1//models", "/v1/models//", "/health/x", "/healthzz"):
        assert (await _plain(gateway, "GET", path)).status == 404, path


async def test_an_unknown_call_is_named_and_told_where_the_calls_are_listed(gateway: RunningGateway) -> None:
    answer = await gateway.call("POST", "/v1/nothing", json={})
    assert (await answer.json())["error"][
        "message"
    ] == "There is no POST /v1/nothing. The calls are listed in /openapi.json."


async def test_head_is_get_without_a_body_and_ends_though_a_stream_would_not(gateway: RunningGateway) -> None:
    for path in ("/v1/models", "/healthz", "/v1/keys"):
        head, whole = await _plain(gateway, "HEAD", path), await _plain(gateway, "GET", path)
        assert head.status == 200, path
        assert head.headers["Content-Type"] == whole.headers["Content-Type"]
    assert (await _plain(gateway, "HEAD", "/v1/models", "")).status == 401
    assert (await _plain(gateway, "HEAD", CHAT)).status == 405
    parts = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    for path in ("/v1/jobs/job_1/events", "/v1/models"):  # on one connection: nothing of the first may follow its head
        head = f"HEAD {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.admin_key}\r\n\r\n"
        writer.write(head.encode())
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 "), path
    writer.close()


async def test_pages_of_named_origins_may_ask_and_call_and_read_our_headers(gateway: RunningGateway) -> None:
    for path in (CHAT, "/v1/models", "/mcp"):
        answer = await _preflight(gateway, path, PAGE)
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, PAGE), path
        assert "x-stainless-lang" in answer.headers["Access-Control-Allow-Headers"]
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert answer.headers["Access-Control-Allow-Private-Network"] == "true"
        assert "Access-Control-Allow-Credentials" not in answer.headers
    calls = [
        ({"model": "echo", "messages": HELLO}, gateway.admin_key, 200),
        ({"model": "echo", "messages": HELLO, "stream": True}, gateway.admin_key, 200),
        ({"model": "none", "messages": HELLO}, gateway.admin_key, 404),
        ({"model": "echo", "messages": HELLO}, "gw_wrong", 401),
    ]
    for body, key, status in calls:
        answer = await gateway.call("POST", CHAT, key, json=body, headers={"Origin": PAGE})
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (status, PAGE)
        exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
        ours = [name for name in answer.headers if name.lower().startswith(("x-r", "x-groundwork", "retry-after"))]
        assert {name.lower() for name in ours} <= {name.lower() for name in exposed}
        assert {"X-Request-Id", "X-RateLimit-Remaining-Requests", "Mcp-Session-Id"} <= set(exposed)
        assert "Origin" in answer.headers["Vary"]


async def test_pages_of_other_origins_are_told_nothing(gateway: RunningGateway) -> None:
    for path in (CHAT, "/mcp"):
        answer = await _preflight(gateway, path, STRANGER)
        assert "Access-Control-Allow-Origin" not in answer.headers, path
    answer = await gateway.call("GET", "/v1/models", headers={"Origin": STRANGER})
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_an_origin_of_mcp_opens_mcp_to_its_pages_and_nothing_else(gateway: RunningGateway) -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    for origin in (TOOL, PAGE):
        assert (await _preflight(gateway, "/mcp", origin)).headers["Access-Control-Allow-Origin"] == origin
        answer = await gateway.call("POST", "/mcp", json=ping, headers={"Origin": origin})
        assert answer.status != 403
        assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "Access-Control-Allow-Origin" not in (await _preflight(gateway, CHAT, TOOL)).headers
    assert (await gateway.call("POST", "/mcp", json=ping, headers={"Origin": STRANGER})).status == 403


async def test_options_needs_no_key_and_without_a_setting_no_page_is_let_in(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, limiter=MemoryLimiter(SystemClock())) as gateway:
        for path in (CHAT, "/v1/models", "/mcp"):
            answer = await _preflight(gateway, path, PAGE)
            assert (answer.status, answer.headers["Allow"].split(", ")[:3]) == (204, ["GET", "HEAD", "POST"]), path
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        answer = await gateway.call("GET", "/v1/models", headers={"Origin": PAGE})
        assert (answer.status, answer.headers.get("Access-Control-Allow-Origin")) == (200, None)


async def test_every_call_that_refuses_a_method_says_which_it_takes(gateway: RunningGateway) -> None:
    document = await (await gateway.call("GET", "/openapi.json")).json()
    for path, calls in document["paths"].items():
        answer = await gateway.call("TRACE", path)
        assert answer.status == 405, path
        allowed = answer.headers["Allow"].lower().split(", ")
        assert {method for method in calls if method != "parameters"} <= set(allowed), path
