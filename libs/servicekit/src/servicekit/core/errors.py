"""The one error type, a base class for each status of the API, and the envelope.

Services subclass the base of the right status and name the subclass for the fact:

    class CollectionNotFound(NotFound):
        code = "collection_not_found"
        def __init__(self, name: str) -> None:
            super().__init__(f"There is no collection '{name}'. GET /v1/collections lists them.", param="collection")
"""

from __future__ import annotations

import errno
import sqlite3
from typing import Any, ClassVar

from contracts.core.errors import ErrorBody, ErrorEnvelope, ErrorType

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
        self.usage: dict[str, Any] | None = None
        """What models read before this ended the call: it is paid."""

    @property
    def http_status(self) -> int:
        """The status to answer with."""
        return self.status

    def body(self, request_id: str | None) -> ErrorBody:
        """The error as the envelope holds it."""
        param = None if self.param is None else _whole(self.param)
        message = _whole(self.message)  # it may repeat what the caller sent
        return ErrorBody(
            type=self.type, code=self.code, message=message, param=param, request_id=request_id, usage=self.usage
        )

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
        self.usage = error.usage

    @property
    def http_status(self) -> int:
        """The peer's status."""
        return self._status

    def body(self, request_id: str | None) -> ErrorBody:
        """The peer's error under our request id."""
        return self.error.model_copy(update={"request_id": request_id, "usage": self.usage})


def _whole(text: str) -> str:
    """A text that can be written: half a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def envelope(error: ServiceError, request_id: str | None) -> bytes:
    """The envelope as JSON bytes."""
    return ErrorEnvelope(error=error.body(request_id)).model_dump_json().encode()
