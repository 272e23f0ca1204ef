"""Plain routes in front of the framework's for the calls that models answer.

The framework's dependencies cost more than all that we do for a model's answer. A direct route calls the very endpoint
that the framework's has, with the two things that it needs: nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from gateway.auth.keys import Principal
from gateway.dependencies import Dependencies

Endpoint = Callable[[Dependencies, Principal], Awaitable[Response]]


class DirectEndpoint:
    """Answers with an endpoint; the guard in front of all routes has asked who calls."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call."""
        response = await self._endpoint(scope["app"].state.dependencies, scope["state"]["principal"])
        await response(scope, receive, send)


class DirectRoute(Route):
    """Names itself in the scope, where metrics, logs and spans look for it: FastAPI has its own routes alone do so."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this route is meant, and what the scope says of it then."""
        match, found = super().matches(scope)
        return match, found if match is Match.NONE else {**found, "route": self}


def direct_routes(endpoints: Mapping[str, Endpoint]) -> list[Route]:
    """A route for `POST` to each path."""
    return [DirectRoute(path, DirectEndpoint(endpoint), methods=["POST"]) for path, endpoint in endpoints.items()]
