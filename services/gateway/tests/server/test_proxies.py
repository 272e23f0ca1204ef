from __future__ import annotations

import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.server.proxies import TrustedProxies
from gateway.streaming.citation_links import address_of

PROXIED = {"x-forwarded-for": "203.0.113.9", "x-forwarded-host": "docs.example", "x-forwarded-prefix": "/rag/"}


async def _seen(peer: str | None, trusted: str, **headers: str) -> Scope:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    async def nothing(*_: object) -> Message:
        return {"type": "http.disconnect"}

    named = {"host": "gateway:8080", **PROXIED, **headers}
    pairs = [(name.encode(), value.encode()) for name, value in named.items()]
    scope = {"type": "http", "scheme": "http", "client": None if peer is None else (peer, 1), "headers": pairs}
    await TrustedProxies(app, trusted)(scope, nothing, nothing)
    return seen[0]


@pytest.mark.parametrize(("peer", "trusted"), [("127.0.0.1", "127.0.0.1,::1"), ("10.1.2.3", "10.0.0.0/8"), ("x", "*")])
async def test_a_trusted_proxy_is_believed_where_its_caller_reaches_the_gateway(peer: str, trusted: str) -> None:
    scope = await _seen(peer, trusted, **{"x-forwarded-proto": "https, http"})
    assert address_of(scope) == "https://docs.example/rag"
    assert scope["client"][0] == "203.0.113.9"


@pytest.mark.parametrize(("peer", "trusted"), [("192.0.2.1", "127.0.0.1"), (None, "127.0.0.1"), ("127.0.0.1", "")])
async def test_nobody_else_is_believed(peer: str | None, trusted: str) -> None:
    scope = await _seen(peer, trusted, **{"x-forwarded-proto": "https"})
    assert address_of(scope) == "http://gateway:8080"
    assert scope["client"] == (None if peer is None else (peer, 1))
