"""Collections, documents, jobs, agents, threads and runs: each row of the proxied calls becomes a route."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.responses import JSONResponse, Response

from gateway.api.openapi_parts import ERRORS, extra_of, responses_of
from gateway.dependencies import Deps, Key
from gateway.proxy.agent_operations import EVERY_PROXIED
from gateway.proxy.operations import ProxiedCall
from gateway.proxy.service import proxy
from gateway.streaming.exchange import Exchange, Relay
from servicekit.web.router import Router


def router() -> Router:
    """The routes of all proxied calls."""
    routes = Router(responses=ERRORS)
    for spec in EVERY_PROXIED:
        routes.add_api_route(
            spec.path,
            _endpoint(spec),
            methods=[spec.method],
            status_code=spec.status,
            summary=spec.summary,
            tags=[spec.tag],
            response_model=None,
            response_class=JSONResponse if spec.gives == "json" else Response,
            responses=responses_of(spec),
            openapi_extra=extra_of(spec),
            name=f"{spec.method.lower()} {spec.path}",
        )
    return routes


def _endpoint(spec: ProxiedCall) -> Callable[..., Coroutine[Any, Any, Relay]]:
    async def endpoint(deps: Deps, key: Key) -> Relay:
        key.require(*spec.scopes)

        async def work(exchange: Exchange) -> None:
            await proxy(exchange, deps, key, spec)

        return Relay(work)

    return endpoint
