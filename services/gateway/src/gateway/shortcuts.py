"""The calls that models answer, taken before the framework's routing, which costs more than all that we do for them.

A shortcut calls the very endpoint that the route has, with the two things that it needs: nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.dependencies import Dependencies
from gateway.keys import Principal
from servicekit.errors import QueueFull, ServiceError, error_response
from servicekit.headers import header_of

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
    """Passes everything but `POST` to the given paths on to the app."""

    def __init__(self, app: ASGIApp, endpoints: Mapping[str, Endpoint], most: int) -> None:
        """`most`: calls that may be open at once."""
        self._app = app
        self._most = most
        self._open = 0
        self._endpoints = {path: (_Route(path), endpoint) for path, endpoint in endpoints.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call."""
        short = self._endpoints.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if short is None:
            await self._app(scope, receive, send)
            return
        scope["route"], endpoint = short
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
            principal = await deps.identify(header_of(scope, b"authorization"))
            response = await endpoint(deps, principal)
        except ServiceError as error:
            response = error_response(error, scope["state"]["request_id"])
        await response(scope, receive, send)
