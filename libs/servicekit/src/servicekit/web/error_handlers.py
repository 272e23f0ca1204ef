"""Errors as HTTP answers: the envelope of a `ServiceError`, and the same for what the framework raises."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from contracts.core.validation import what_is_wrong
from servicekit.core.errors import (
    CLIENT_CLOSED,
    DiskFull,
    Internal,
    InvalidRequest,
    NotFound,
    ServiceError,
    Unprocessable,
    envelope,
    is_disk_full,
)

log = structlog.get_logger(__name__)
_UNREADABLE = "There was an error parsing the body"
"""FastAPI's words for JSON over which the parser itself fails: nested too deep, a number of thousands of digits."""


class BodyRefused(HTTPException):
    """Carries an error through the framework's reading of a body, which makes a bare 400 of any other kind."""

    def __init__(self, error: ServiceError) -> None:
        super().__init__(error.http_status, error.message)
        self.error = error


def error_response(error: ServiceError, request_id: str | None) -> Response:
    """The whole HTTP answer for an error."""
    return Response(
        envelope(error, request_id),
        status_code=error.http_status,
        headers=error.headers(),
        media_type="application/json",
    )


def from_validation(failure: RequestValidationError) -> Unprocessable:
    """The first thing that was wrong with a request, in one sentence, with its dotted path."""
    first: Mapping[str, object] = failure.errors()[0]
    location = first.get("loc", ())
    parts = [str(part) for part in location] if isinstance(location, tuple | list) else []
    if first.get("type") == "json_invalid":
        return _malformed_json()
    param = ".".join(parts[1:] if parts[:1] and parts[0] in ("body", "query", "path", "header") else parts) or None
    where = f"{param}: " if param else ""
    return Unprocessable(f"{where}{what_is_wrong(first)}. The API's schema is at /openapi.json.", param=param)


def _malformed_json() -> Unprocessable:
    error = Unprocessable("The body is not valid JSON. Check quotes, commas and braces.")
    error.code = "malformed_json"
    return error


def install_error_handlers(app: FastAPI) -> None:
    """Answer every error of an app with the envelope."""

    def request_id(request: Request) -> str | None:
        return getattr(request.state, "request_id", None)

    async def on_service_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ServiceError)
        if error.http_status >= 500:
            log.warning("call failed", code=error.code, message=error.message)
        return error_response(error, request_id(request))

    async def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return error_response(from_validation(error), request_id(request))

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return error_response(_from_http(error, request), request_id(request))

    async def on_disconnect(_: Request, __: Exception) -> Response:
        return Response(status_code=CLIENT_CLOSED)  # nobody reads it; logs and metrics say 499 rather than 500

    async def on_any(request: Request, error: Exception) -> Response:
        failure: ServiceError = Internal("Something failed on our side. Give the request id to your operator.")
        if is_disk_full(error):
            failure = DiskFull()
            log.error("the disk is full", error=repr(error)[:300])
        else:
            log.exception("unexpected error", exc_info=error)
        response = error_response(failure, request_id(request))
        response.headers["X-Request-Id"] = request_id(request) or ""  # this handler runs outside RequestContext
        return response

    app.add_exception_handler(ServiceError, on_service_error)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(ClientDisconnect, on_disconnect)
    app.add_exception_handler(Exception, on_any)


def _from_http(error: HTTPException, request: Request) -> ServiceError:
    if isinstance(error, BodyRefused):
        return error.error
    where = f"{request.method} {request.url.path}"
    if error.status_code == 404:
        return NotFound(f"There is no {where}. The calls are listed in /openapi.json.")
    if error.status_code == 405:
        return _MethodNotAllowed(where, _methods_at(request))
    if error.detail == _UNREADABLE:
        return _malformed_json()
    return _BadHttp(str(error.detail))


def _methods_at(request: Request) -> list[str]:
    """Of all routes at the request's path: the framework's own `Allow` is that of the first alone."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in routes for method in getattr(route, "methods", None) or ()})


class _MethodNotAllowed(ServiceError):
    status, type, code = 405, "invalid_request", "method_not_allowed"

    def __init__(self, where: str, methods: list[str]) -> None:
        self._allow = ", ".join(methods)
        super().__init__(f"{where} is not allowed, only {self._allow}. The calls are listed in /openapi.json.")

    def headers(self) -> dict[str, str]:
        """Says which methods are."""
        return {"Allow": self._allow}


class _BadHttp(InvalidRequest):
    code = "bad_request"
