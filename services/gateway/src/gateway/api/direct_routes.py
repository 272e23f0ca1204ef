"""Before the framework's routing: who calls is asked first, and calls that models answer are taken at once.

Routing costs more than all that we do for a model's answer. A shortcut calls the very endpoint that the route has, with
the two things that it needs: nothing is decided here. Any other call of the API is let in by its key, too, before its
body is read, which the framework would do first: what nobody may send must not cost memory.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette._utils import get_route_path
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.auth.keys import Principal
from gateway.dependencies import Dependencies
from servicekit.core.errors import QueueFull, ServiceError
from servicekit.web.error_handlers import error_response

GUARDED = ("/v1/", "/v2/", "/mcp")
"""Where all paths that need a key begin; what is open (health, the document of the API) is elsewhere."""
Endpoint = Callable[[Dependencies, Principal], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class _Route:
    """What metrics read of a route."""

    path: str


class TooManyOpen(QueueFull):
    """As many calls as this process takes are open."""

    code = "too_many_open_calls"

    def __init__(self) -> None:
        super().__init__("Too many calls are open here at once. Wait a moment and try again.", retry_after=1)


class Shortcuts:
    """Lets calls in by their key; passes everything but `POST` to the given paths on to the app."""

    def __init__(self, app: ASGIApp, endpoints: Mapping[str, Endpoint], most: int) -> None:
        """`most`: calls that may be open at once."""
        self._app = app
        self._most = most
        self._open = 0
        self._endpoints = {path: (_Route(path), endpoint) for path, endpoint in endpoints.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = get_route_path(scope) if scope.get("root_path") else scope["path"]
        short = self._endpoints.get(path) if scope["method"] == "POST" else None
        if short is not None:
            scope["route"], endpoint = short
            await self._shorten(endpoint, scope, receive, send)
        elif path.startswith(GUARDED):
            await self._guard(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        deps: Dependencies = scope["app"].state.dependencies
        try:
            scope["state"]["principal"] = await deps.identify(scope)
        except ServiceError as error:
            await error_response(error, scope["state"]["request_id"])(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _shorten(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        if self._open >= self._most:  # said before anything is read or looked up: this is when there is no time
            await error_response(TooManyOpen(), scope["state"]["request_id"])(scope, receive, send)
            return
        self._open += 1
        try:
            await self._take(endpoint, scope, receive, send)
        finally:
            self._open -= 1

    async def _take(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        deps: Dependencies = scope["app"].state.dependencies
        try:
            principal = scope["state"]["principal"] = await deps.identify(scope)
            response = await endpoint(deps, principal)
        except ServiceError as error:
            response = error_response(error, scope["state"]["request_id"])
        await response(scope, receive, send)
