"""Collections, documents, jobs, agents, threads and runs: the operations that other services answer, as routes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any

from fastapi.responses import JSONResponse, Response

from contracts.operations.operation import Operation
from contracts.operations.table import OPERATIONS
from gateway.api.openapi_parts import ERRORS, relay
from gateway.dependencies import Deps, Key
from gateway.proxy.service import proxy
from gateway.streaming.exchange import Exchange, Relay
from servicekit.web.router import Router


@cache
def router() -> Router:
    """The routes of all operations that are passed on; made once, when they are first asked for."""
    routes = Router(responses=ERRORS)
    for operation in OPERATIONS:
        if operation.owner != "gateway":
            form = JSONResponse if operation.gives == "json" else Response
            relay(routes, operation, response_class=form)(_endpoint(operation))
    return routes


def _endpoint(operation: Operation[Any]) -> Callable[..., Coroutine[Any, Any, Relay]]:
    async def endpoint(deps: Deps, key: Key) -> Relay:
        key.require(*operation.scopes)

        async def work(exchange: Exchange) -> None:
            await proxy(exchange, deps, key, operation)

        return Relay(work)

    return endpoint
