"""The one error type, a base class for each status of the API, and the handlers that make the envelope.

Services subclass the base of the right status and name the subclass for the fact:

    class CollectionNotFound(NotFound):
        code = "collection_not_found"
        def __init__(self, name: str) -> None:
            super().__init__(f"There is no collection '{name}'. GET /v1/collections lists them.", param="collection")
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Mapping
from typing import ClassVar

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from contracts.errors import ErrorBody, ErrorEnvelope, ErrorType

log = structlog.get_logger(__name__)
_UNREADABLE = "There was an error parsing the body"
"""FastAPI's words for JSON over which the parser itself fails: nested too deep, a number of thousands of digits."""
DISK_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
"""What a full disk and a used-up quota say."""
POSTGRES_DISK_FULL = "53100"
"""SQLSTATE `disk_full`."""
CLIENT_CLOSED = 499
"""What logs and metrics say of a call whose caller left before the answer."""


class ServiceError(Exception):
    """A fact that ends a call. `message` says what was wrong and what to do; it is shown to the caller."""

    status: ClassVar[int] = 500
    type: ClassVar[ErrorType] = "internal"
    code: str = "internal"

    def __init__(self, message: str, *, param: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after

    @property
    def http_status(self) -> int:
        """The status to answer with."""
        return self.status

    def body(self, request_id: str | None) -> ErrorBody:
        """The error as the envelope holds it."""
        param = None if self.param is None else _whole(self.param)
        message = _whole(self.message)  # it may repeat what the caller sent
        return ErrorBody(type=self.type, code=self.code, message=message, param=param, request_id=request_id)

    def headers(self) -> dict[str, str]:
        """`Retry-After` in whole seconds, at least 1, where there is one."""
        return {} if self.retry_after is None else {"Retry-After": str(max(1, round(self.retry_after)))}


class InvalidRequest(ServiceError):
    """400: well-formed, but can't be done."""

    status, type, code = 400, "invalid_request", "invalid_request"


class Unauthenticated(ServiceError):
    """401."""

    status, type, code = 401, "authentication", "unauthenticated"

    def headers(self) -> dict[str, str]:
        """Says which scheme is wanted."""
        return {"WWW-Authenticate": "Bearer"}


class Forbidden(ServiceError):
    """403."""

    status, type, code = 403, "permission", "forbidden"


class NotFound(ServiceError):
    """404, also for what belongs to another tenant."""

    status, type, code = 404, "not_found", "not_found"


class Conflict(ServiceError):
    """409."""

    status, type, code = 409, "conflict", "conflict"


class PayloadTooLarge(ServiceError):
    """413."""

    status, type, code = 413, "invalid_request", "too_large"


class UnsupportedMediaType(ServiceError):
    """415."""

    status, type, code = 415, "invalid_request", "unsupported_media_type"


class Unprocessable(ServiceError):
    """422: the body does not match the schema."""

    status, type, code = 422, "invalid_request", "invalid_body"


class RateLimited(ServiceError):
    """429: a limit of the key or tenant. Give `retry_after`."""

    status, type, code = 429, "rate_limited", "rate_limited"


class QueueFull(ServiceError):
    """429: a bounded queue is full. Give `retry_after`."""

    status, type, code = 429, "overloaded", "queue_full"


class Internal(ServiceError):
    """500: ours."""


class UpstreamFailed(ServiceError):
    """502: a service down the line failed or talked nonsense."""

    status, type, code = 502, "upstream_error", "upstream_error"


class NotReady(ServiceError):
    """503: a service that is needed can't do its job now."""

    status, type, code = 503, "overloaded", "not_ready"


class UpstreamTimeout(ServiceError):
    """504: a service down the line did not answer in time."""

    status, type, code = 504, "upstream_timeout", "upstream_timeout"


class DiskFull(NotReady):
    """503: there is no room to store anything."""

    code = "disk_full"

    def __init__(self) -> None:
        super().__init__(
            "The disk is full, so that nothing can be stored now; what is there can be searched and read. Send this "
            "again once the operator has made room.",
            retry_after=30,
        )


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or what it came of, is a full disk's: the system's, SQLite's or PostgreSQL's."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(is_disk_full, error.exceptions))
    seen: BaseException | None = error
    while seen is not None:
        if (
            isinstance(seen, DiskFull)
            or (isinstance(seen, OSError) and seen.errno in DISK_FULL)
            or getattr(seen, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            or getattr(seen, "sqlstate", None) == POSTGRES_DISK_FULL
        ):
            return True
        original = getattr(seen, "orig", None)  # SQLAlchemy's errors hold the driver's
        seen = original if isinstance(original, BaseException) else seen.__cause__
    return False


class PeerError(ServiceError):
    """Another service's error envelope, passed on as it was: its words were written for the caller."""

    def __init__(self, status: int, error: ErrorBody, retry_after: float | None = None) -> None:
        super().__init__(error.message, param=error.param, retry_after=retry_after)
        self._status = status
        self.error = error
        self.code = error.code

    @property
    def http_status(self) -> int:
        """The peer's status."""
        return self._status

    def body(self, request_id: str | None) -> ErrorBody:
        """The peer's error under our request id."""
        return self.error.model_copy(update={"request_id": request_id})


class BodyRefused(HTTPException):
    """Carries an error through the framework's reading of a body, which makes a bare 400 of any other kind."""

    def __init__(self, error: ServiceError) -> None:
        super().__init__(error.http_status, error.message)
        self.error = error


def _whole(text: str) -> str:
    """A text that can be written: half a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def envelope(error: ServiceError, request_id: str | None) -> bytes:
    """The envelope as JSON bytes."""
    return ErrorEnvelope(error=error.body(request_id)).model_dump_json().encode()


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
    what = str(first.get("msg", "not valid")).removeprefix("Value error, ")
    return Unprocessable(f"{where}{what}. The API's schema is at /openapi.json.", param=param)


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
        return _MethodNotAllowed(f"{where} is not allowed. The calls are listed in /openapi.json.")
    if error.detail == _UNREADABLE:
        return _malformed_json()
    return _BadHttp(str(error.detail))


class _MethodNotAllowed(ServiceError):
    status, type, code = 405, "invalid_request", "method_not_allowed"


class _BadHttp(InvalidRequest):
    code = "bad_request"
