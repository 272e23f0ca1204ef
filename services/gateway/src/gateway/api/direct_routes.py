"""Plain routes in front of the framework's for the calls that models answer.

The framework's dependencies cost more than all that we do for a model's answer. A direct route calls the very endpoint
that the framework's has, with the two things that it needs: nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.responses import Response
from starlette.routing import Route
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


def direct_routes(endpoints: Mapping[str, Endpoint]) -> list[Route]:
    """A route for `POST` to each path."""
    return [Route(path, DirectEndpoint(endpoint), methods=["POST"]) for path, endpoint in endpoints.items()]
