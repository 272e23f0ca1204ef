"""Pages of other origins: which may call the API, and `OPTIONS`, which needs no key."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from servicekit.web.headers import header_of

API, MCP = "/v1", "/mcp"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
EXPOSED = (
    "X-Request-Id",
    *(f"X-RateLimit-{what}-{of}" for what in ("Limit", "Remaining", "Reset") for of in ("Requests", "Tokens")),
    *(
        f"X-Groundwork-{what}"
        for what in (
            "Model",
            "Model-Digest",
            "Model-Fingerprint",
            "Prompt",
            "Attempts",
            "Cache",
            "Guardrails",
            "Variant",
        )
    ),
    "Retry-After",
    "WWW-Authenticate",
    "Content-Disposition",
    "ETag",
    "Mcp-Session-Id",
    "Mcp-Protocol-Version",
)
"""Headers of ours that a page may read."""


class Cors:
    """Lets pages of named origins call the API (`origins`) and `/mcp` (`mcp_origins`); `OPTIONS` needs no key.

    Credentials of the browser are not allowed, so that a page has the rights of a key that it was given, and no more.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str], mcp_origins: Sequence[str]) -> None:
        self._app = app
        self._api, self._mcp = self._open_to(origins), self._open_to(mcp_origins)

    def _open_to(self, origins: Sequence[str]) -> ASGIApp:
        if not origins:
            return self._closed
        return CORSMiddleware(
            self._closed,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=("*",),
            allow_private_network=True,  # a page of the internet, and a gateway on loopback
            expose_headers=EXPOSED,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call."""
        if scope["type"] != "http" or (scope["method"] != "OPTIONS" and header_of(scope, b"origin") is None):
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if path == MCP or path.startswith(f"{MCP}/"):
            await self._mcp(scope, receive, send)
        elif path.startswith(f"{API}/"):
            await self._api(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _closed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What says nothing of origins."""
        if scope["method"] == "OPTIONS":
            await Response(status_code=204, headers={"Allow": ", ".join(METHODS)})(scope, receive, send)
        else:
            await self._app(scope, receive, send)
