from __future__ import annotations

from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.server.paths import CanonicalPath


async def _call(path: str, method: str = "GET") -> tuple[list[Message], list[Scope]]:
    """What is sent, and the calls that reach the app."""
    sent: list[Message] = []
    reached: list[Scope] = []

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        reached.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a body", "more_body": True})
        raise AssertionError("a stream without end")

    async def receive() -> Any:
        raise AssertionError("nobody reads")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": []}
    try:
        await CanonicalPath(app)({**scope, "state": {"request_id": "r1"}}, receive, send)
    except AssertionError:
        assert method != "HEAD"
    return sent, reached


@pytest.mark.parametrize("path", ["/v1/%6Bkeys", "/v1/keys%2Fk1", "/v1/%2e%2e/keys"])
async def test_a_second_spelling_of_a_path_reaches_nothing(path: str) -> None:
    sent, reached = await _call(path)
    assert sent[0]["status"] == 400
    assert not reached


@pytest.mark.parametrize(("path", "reached_as"), [("/v1/keys/", "/v1/keys"), ("/health", "/healthz"), ("/v1/", "/v1/")])
async def test_what_can_be_read_in_one_way_only_is_forgiven(path: str, reached_as: str) -> None:
    _, reached = await _call(path)
    assert [scope["path"] for scope in reached] == [reached_as]


async def test_head_is_answered_like_get_and_ends_with_the_head() -> None:
    sent, reached = await _call("/v1/keys", "HEAD")
    assert [scope["method"] for scope in reached] == ["GET"]
    assert [message.get("body") for message in sent] == [None, b""]
