"""The outermost layer of every app: request id, trace, log context, access log, HTTP metrics.

Plain ASGI rather than Starlette's `BaseHTTPMiddleware`, which buffers and breaks cancellation of streams.
"""

from __future__ import annotations

import time
from dataclasses import replace

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.core.identifiers import REQUEST_ID_HEADER, request_id_from
from servicekit.telemetry.metrics import HTTP_IN_FLIGHT, HTTP_REQUESTS, HTTP_SECONDS, METHODS, known_label
from servicekit.telemetry.spans import NOTHING, Span, enter, join
from servicekit.telemetry.trace_context import TraceContext
from servicekit.web.headers import header_of

log = structlog.get_logger(__name__)
_HEADER = REQUEST_ID_HEADER.lower().encode()
QUIET_ROUTES = frozenset(("/healthz", "/readyz", "/metrics"))


class RequestContext:
    """Binds `request_id` for the call, returns it in the answer, and accounts for the call when it ends."""

    def __init__(self, app: ASGIApp, service: str, *, record_requests: bool = True) -> None:
        """`record_requests`: whether each is a span."""
        self._app = app
        self._service = service
        self._record_requests = record_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call; other scopes pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_from(header_of(scope, _HEADER))
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        span = scope["state"]["span"] = self._enter(scope)
        encoded_id = request_id.encode()
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                others = [pair for pair in message.get("headers", ()) if pair[0].lower() != _HEADER]
                message = {**message, "headers": [*others, (_HEADER, encoded_id)]}
            await send(message)

        started = time.perf_counter()
        HTTP_IN_FLIGHT.labels(self._service).inc()
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            HTTP_IN_FLIGHT.labels(self._service).dec()
            self._account(scope, status, time.perf_counter() - started)
            if span is not NOTHING:
                _close(span, scope, status, request_id)

    def _enter(self, scope: Scope) -> Span:
        """The call's span, and from here on its trace; what only watches the service is not traced."""
        parent = TraceContext.read(header_of(scope, b"traceparent"), header_of(scope, b"tracestate"))
        if scope["path"] in QUIET_ROUTES:
            parent = parent or TraceContext.begin(sampled=False)
            parent = replace(parent, sampled=False)
        if not self._record_requests:
            join(parent)
            return NOTHING
        return enter(scope["method"], "server", parent)

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = known_label(scope["method"], METHODS)
        HTTP_REQUESTS.labels(self._service, method, route, str(status)).inc()
        HTTP_SECONDS.labels(self._service, method, route).observe(seconds)
        if route not in QUIET_ROUTES:
            log.info("call", method=method, route=route, status=status, ms=round(seconds * 1000, 1))


def _close(span: Span, scope: Scope, status: int, request_id: str) -> None:
    route = getattr(scope.get("route"), "path", None)
    tenant = structlog.contextvars.get_contextvars().get("tenant")
    span.rename(f"{scope['method']} {route}" if route else scope["method"])
    span.set(
        {
            "http.request.method": scope["method"],
            "http.route": route,
            "http.response.status_code": status,
            "groundwork.request_id": request_id,
            "groundwork.tenant": tenant,
        }
    )
    if status >= 500:
        span.fail(str(status))
    span.end()
