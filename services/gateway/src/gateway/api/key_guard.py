"""Who calls is asked before a call is routed: the framework reads a body first, and what nobody may send must not cost
memory."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import MutableHeaders
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.dependencies import Dependencies
from servicekit.core.errors import QueueFull, ServiceError
from servicekit.web.error_handlers import error_response
from servicekit.web.headers import header_of
from servicekit.web.paths import route_path

GUARDED = ("/v1/", "/v2/", "/mcp")
"""Where all paths that need a key begin; what is open (health, the document of the API) is elsewhere."""


class TooManyOpen(QueueFull):
    """As many calls as this process takes are open."""

    code = "too_many_open_calls"

    def __init__(self) -> None:
        super().__init__("Too many calls are open here at once. Wait a moment and try again.", retry_after=1)


class KeyGuard:
    """Lets calls in by their key, and bounds how many of those that models answer are open."""

    def __init__(self, app: ASGIApp, bounded: Collection[Route], most: int) -> None:
        """`most`: calls (`POST`) to the `bounded` routes that may be open at once."""
        self._app = app
        self._bounded = {route.path: route for route in bounded}
        self._most = most
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call."""
        if scope["type"] != "http" or not (path := route_path(scope)).startswith(GUARDED):
            await self._app(scope, receive, send)
            return
        route = self._bounded.get(path) if scope["method"] == "POST" else None
        if route is None:
            await self._let_in(scope, receive, send)
            return
        scope["route"] = route  # for metrics and logs, should it get no further
        if self._open >= self._most:  # said before anything is read or looked up: this is when there is no time
            await error_response(TooManyOpen(), scope["state"]["request_id"])(scope, receive, send)
            return
        self._open += 1
        try:
            await self._let_in(scope, receive, send)
        finally:
            self._open -= 1

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        deps: Dependencies = scope["app"].state.dependencies
        try:
            scope["state"]["principal"] = await deps.identify(scope)
            if header_of(scope, b"authorization") is None:
                send = _unstored(send)
        except ServiceError as error:
            await error_response(error, scope["state"]["request_id"])(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _unstored(send: Send) -> Send:
    """For a session: nothing tells a cache that an answer is one person's, as `Authorization` does, and what a browser
    keeps on its disk outlives a sign-out."""

    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return marked
