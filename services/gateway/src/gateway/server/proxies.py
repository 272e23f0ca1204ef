"""Proxies in front of the gateway: which are believed what they say of their callers."""

from __future__ import annotations

from typing import cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

HOST, PREFIX, PROTO = b"x-forwarded-host", b"x-forwarded-prefix", b"x-forwarded-proto"
_OF_PROXIES = frozenset((HOST, PREFIX))


class TrustedProxies:
    """Outside everything else: the address and the scheme of a call are its caller's as a trusted proxy has them.

    `X-Forwarded-Host` and `-Prefix` go on from a trusted proxy alone, so that whoever reads them need not ask again.
    """

    def __init__(self, app: ASGIApp, trusted: str) -> None:
        """`trusted`: addresses and networks with commas between them; `*` is any."""
        self._inner = ProxyHeadersMiddleware(app, trusted)  # type: ignore[arg-type]  # uvicorn has types of its own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call."""
        if scope["type"] == "http" and any(name.startswith(b"x-forwarded-") for name, _ in scope["headers"]):
            peer = (scope.get("client") or (None, 0))[0]
            headers = _outermost if peer in self._inner.trusted_hosts else _without_proxies
            scope["headers"] = headers(cast("list[tuple[bytes, bytes]]", scope["headers"]))
        await self._inner(scope, receive, send)  # type: ignore[arg-type]


def _outermost(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Of several proxies the one that the caller sees."""
    return [(name, value.partition(b",")[0].strip() if name == PROTO else value) for name, value in headers]


def _without_proxies(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name not in _OF_PROXIES]
