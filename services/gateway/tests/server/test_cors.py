from __future__ import annotations

from typing import Any

import pytest
from starlette.responses import Response
from starlette.types import Message, Scope

from gateway.server.cors import Cors

PAGE, OTHER = "https://page.test", "https://other.test"


async def _headers(method: str, path: str, origin: str) -> dict[bytes, bytes]:
    sent: list[Message] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    asked = [(b"origin", origin.encode()), (b"access-control-request-method", b"POST")]
    scope: Scope = {"type": "http", "method": method, "path": path, "headers": asked}
    await Cors(Response("answered"), [PAGE], [PAGE, OTHER])(scope, receive, send)
    return dict(sent[0]["headers"])


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
@pytest.mark.parametrize(
    ("path", "origin", "is_open"), [("/v1/keys", PAGE, True), ("/v1/keys", OTHER, False), ("/mcp", OTHER, True)]
)
async def test_only_pages_of_named_origins_may_read_answers(method: str, path: str, origin: str, is_open: bool) -> None:
    headers = await _headers(method, path, origin)
    assert (headers.get(b"access-control-allow-origin") == origin.encode()) is is_open
