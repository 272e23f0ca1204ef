from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from services.agent.tests.api.client import Api

from agent.api.mcp import INVALID_REQUEST, MAX_BYTES, PARSE_ERROR, UNSUPPORTED_VERSION
from agent.mcp.server import VERSIONS
from agent.testing.scripted_answers import ScriptedSearch
from contracts.retrieval.search import SearchReply, SearchRequest

PING: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
DEADLINE = 60.0


async def refused(api: Api, body: bytes | dict[str, Any], **headers: str) -> dict[str, Any]:
    """What a message that can't be read is answered with, in JSON-RPC's own form."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await api.call("POST", "/mcp", content=content, headers=headers)
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"jsonrpc", "id", "error"}
    return dict(answer.json())


async def test_a_request_is_answered_and_a_notification_taken(api: Api) -> None:
    answer = await api.call("POST", "/mcp", PING)
    assert (answer.status_code, answer.json()) == (200, {"jsonrpc": "2.0", "id": 1, "result": {}})
    told = await api.call("POST", "/mcp", {"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (told.status_code, told.content) == (202, b"")


async def test_each_client_gets_a_session_of_its_own_when_it_begins(api: Api) -> None:
    begin = {**PING, "method": "initialize", "params": {"protocolVersion": VERSIONS[0]}}
    sessions = [(await api.call("POST", "/mcp", begin)).headers["mcp-session-id"] for _ in range(2)]
    assert len(set(sessions)) == 2
    assert "mcp-session-id" not in (await api.call("POST", "/mcp", PING)).headers


async def test_a_version_that_is_not_spoken_is_refused_with_those_that_are(api: Api) -> None:
    for version in VERSIONS:
        assert (await api.call("POST", "/mcp", PING, headers={"mcp-protocol-version": version})).status_code == 200
    told = (await refused(api, PING, **{"mcp-protocol-version": "2024-11-05"}))["error"]
    assert (told["code"], told["data"]) == (
        UNSUPPORTED_VERSION,
        {"supported": list(VERSIONS), "requested": "2024-11-05"},
    )


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"", PARSE_ERROR, "not valid JSON"),
        (b"{", PARSE_ERROR, "not valid JSON"),
        (b"\xff", PARSE_ERROR, "not valid JSON"),
        (b"[]", INVALID_REQUEST, "one message a call"),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', INVALID_REQUEST, "one message a call"),
        (b'"ping"', INVALID_REQUEST, "message: "),
        (b"{}", INVALID_REQUEST, "jsonrpc: "),
        (b" " * (MAX_BYTES + 1), INVALID_REQUEST, f"at most {MAX_BYTES} bytes"),
    ],
)
async def test_what_is_no_message_is_refused_in_the_protocol_s_own_form(
    api: Api, body: bytes, code: int, words: str
) -> None:
    told = await refused(api, body)
    assert (told["id"], told["error"]["code"]) == (None, code)
    assert words in told["error"]["message"]


@pytest.mark.parametrize(
    ("wrong", "place", "named"),
    [
        ({"method": ""}, "method", 1),
        ({"jsonrpc": "1.0", "id": "seven"}, "jsonrpc", "seven"),
        ({"id": 0, "params": [1]}, "params", 0),
        ({"id": 1.5}, "id", None),
        ({"id": "x" * 201}, "id", None),
        ({"id": "\ud800"}, "id", None),
    ],
)
async def test_a_refusal_names_what_is_wrong_and_the_request_where_that_has_a_name(
    api: Api, wrong: dict[str, Any], place: str, named: int | str | None
) -> None:
    told = await refused(api, {**PING, **wrong})
    assert (told["id"], told["error"]["code"]) == (named, INVALID_REQUEST)
    assert told["error"]["message"].startswith(f"{place}")


class HeldSearch(ScriptedSearch):
    """A search that never ends by itself."""

    begun: asyncio.Event
    ended: asyncio.Event

    async def search(self, request: SearchRequest, token: str) -> SearchReply:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()
        raise AssertionError


async def test_a_call_is_ended_by_its_own_client_and_by_no_other(api: Api) -> None:
    search = HeldSearch()
    search.begun, search.ended = asyncio.Event(), asyncio.Event()
    object.__setattr__(api.bench.opened.answering, "search", search)
    call = {**PING, "method": "tools/call", "params": {"name": "search", "arguments": {"query": "leave"}}}
    mine, others = {"mcp-session-id": "mine"}, {"mcp-session-id": "others"}
    calling = asyncio.create_task(api.call("POST", "/mcp", call, headers=mine))
    async with asyncio.timeout(DEADLINE):
        await search.begun.wait()
        for request_id, headers in ((1, others), ("1", mine), (2, mine), (None, mine), (1, {})):
            cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": request_id}}
            assert (await api.call("POST", "/mcp", cancel, headers=headers)).status_code == 202
        assert not search.ended.is_set()
        cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
        await api.call("POST", "/mcp", cancel, headers=mine)
        answer = await calling
    assert (answer.status_code, answer.content, search.ended.is_set()) == (202, b"", True)
