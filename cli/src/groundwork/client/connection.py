"""One HTTP connection pool to one server: bounded in time, errors as exceptions, answers as models."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from contracts.core.errors import ErrorBody, ErrorEnvelope, ErrorType
from contracts.core.pages import Page
from contracts.operations.operation import Operation
from groundwork.errors import ApiError, GroundworkError, NoSuchName, UnexpectedAnswer, Unreachable

Model = TypeVar("Model", bound=BaseModel)
CONNECT_SECONDS = 5.0
DEFAULT_SECONDS = 60.0
PAGE_SIZE = 100

_TYPES: dict[int, ErrorType] = {
    401: "authentication",
    403: "permission",
    404: "not_found",
    409: "conflict",
    429: "rate_limited",
}


class Connection:
    """Calls operations of one server with one key, each with the values of its path in order. Safe to use from several
    threads.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        timeout: float = DEFAULT_SECONDS,
        transport: httpx2.BaseTransport | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.reached = False
        """Whether the server has ever answered."""
        self._timeout = timeout
        if api_key and not (api_key.isascii() and api_key.isprintable()):
            raise GroundworkError(
                "The API key has characters that no key has. Check that it was copied whole ('gw_...')."
            )
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        try:
            self._http = httpx2.Client(
                base_url=self.base_url,
                headers={"User-Agent": "groundwork-python", **headers},
                timeout=httpx2.Timeout(timeout, connect=CONNECT_SECONDS),
                transport=transport,
                verify=True if tls is None else tls,
            )
        except httpx2.InvalidURL as error:
            raise Unreachable(f"'{base_url}' is not a URL ({error}). It looks like http://127.0.0.1:8080.") from None

    def close(self) -> None:
        """Close the pool."""
        self._http.close()

    def send(
        self,
        operation: Operation[Any],
        *values: str,
        params: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        **options: Any,
    ) -> httpx2.Response:
        """One whole answer, whatever its status; raises `Unreachable` without one. A parameter of None is left out."""
        path = _path(operation, values)
        given = {name: value for name, value in (params or {}).items() if value is not None}
        with self._as_ours():
            response = self._http.request(
                operation.method, path, params=given or None, timeout=self._limit(timeout), **options
            )
        self.reached = True
        return response

    def call(self, operation: Operation[Any], *values: str, **options: Any) -> httpx2.Response:
        """One whole answer of status below 400; otherwise raises `ApiError`, or `Unreachable` without an answer."""
        response = self.send(operation, *values, **options)
        if response.status_code >= 400:
            raise api_error(response)
        return response

    def download(
        self, operation: Operation[bytes], *values: str, into: IO[bytes], timeout: float | None = None, **options: Any
    ) -> None:
        """Write an answer's body to `into` as it comes; raises `ApiError` or `Unreachable`."""
        path, limit = _path(operation, values), self._limit(timeout)
        with self._as_ours(), self._http.stream(operation.method, path, timeout=limit, **options) as response:
            if response.status_code >= 400:
                response.read()
                raise api_error(response)
            for piece in response.iter_bytes():
                into.write(piece)

    def model(self, operation: Operation[Model], *values: str, **options: Any) -> Model:
        """One answer as its model."""
        return parse(operation.reply, self.call(operation, *values, **options))

    def pages(
        self, operation: Operation[Page[Model]], *values: str, params: Mapping[str, Any] | None = None
    ) -> Iterator[Model]:
        """Every item of a paged list, page after page."""
        cursor: str | None = None
        while True:
            query = {"limit": PAGE_SIZE, **(params or {}), "cursor": cursor}
            page = parse(operation.reply, self.call(operation, *values, params=query))
            yield from page.data
            cursor = page.next_cursor
            if cursor is None:
                return

    @contextmanager
    def events(
        self, operation: Operation[Any], *values: str, timeout: float | None = None, **options: Any
    ) -> Iterator[Iterator[httpx2.ServerSentEvent]]:
        """The events of a stream, at most `timeout` seconds apart; an `event: error` in it is raised as `ApiError`."""
        path, limit = _path(operation, values), self._limit(timeout)
        with self._as_ours(), self._http.stream(operation.method, path, timeout=limit, **options) as response:
            self.reached = True
            if response.status_code >= 400:
                response.read()
                raise api_error(response)
            yield self._decoded(response)

    def _decoded(self, response: httpx2.Response) -> Iterator[httpx2.ServerSentEvent]:
        for event in httpx2.EventSource(response):
            if event.event == "error":
                raise _from_envelope(event.data.encode(), response, status=200)
            yield event

    def _limit(self, seconds: float | None) -> httpx2.Timeout:
        return httpx2.Timeout(self._timeout if seconds is None else seconds, connect=CONNECT_SECONDS)

    @contextmanager
    def _as_ours(self) -> Iterator[None]:
        """Turn the HTTP library's errors into ours, each with what to do."""
        try:
            yield
        except httpx2.ConnectError:
            raise Unreachable(
                f"Nothing answers at {self.base_url}. Start Groundwork with `groundwork up`, or check the base URL."
            ) from None
        except httpx2.TimeoutException:
            raise Unreachable(
                f"{self.base_url} did not answer in time. It may be busy: try again, or give a longer timeout."
            ) from None
        except UnicodeError as error:
            if getattr(error, "encoding", "idna") != "idna":
                raise  # not the host's name: what is sent is no text
            raise Unreachable(f"'{self.base_url}' names no host. It looks like http://127.0.0.1:8080.") from None
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL):
            raise Unreachable(f"'{self.base_url}' is not an http:// or https:// URL.") from None
        except httpx2.RequestError as error:
            raise Unreachable(
                f"The connection to {self.base_url} broke ({type(error).__name__}). Try again; its log may say more."
            ) from None


def _path(operation: Operation[Any], values: Sequence[str]) -> str:
    """The path with its values in place; raises `NoSuchName` for one that nothing can have, such as `..`."""
    path = operation.path_of(*values)
    for parameter, value in zip(operation.parameters, values, strict=True):
        what, allowed = operation.parameter(parameter)
        if not allowed.fullmatch(value) or value in (".", ".."):
            raise NoSuchName(what, value)
    return path


def parse(kind: type[Model], response: httpx2.Response) -> Model:
    """The body as a model; raises `UnexpectedAnswer`."""
    try:
        return kind.model_validate_json(response.content)
    except ValidationError as error:
        raise UnexpectedAnswer(
            f"{response.request.method} {response.request.url} answered something else than {kind.__name__} "
            f"({error.error_count()} fields wrong). Is it Groundwork, and of a matching version?"
        ) from None


def api_error(response: httpx2.Response) -> ApiError:
    """The error that an answer of status 400 or above stands for."""
    return _from_envelope(response.content, response, status=response.status_code)


def _from_envelope(body: bytes, response: httpx2.Response, *, status: int) -> ApiError:
    try:
        error = ErrorEnvelope.model_validate_json(body).error
    except ValidationError:
        error = ErrorBody(
            type=_TYPES.get(status, "invalid_request" if status < 500 else "internal"),
            code=f"http_{status}",
            message=f"{response.request.url} answered {status} without saying why. Is it Groundwork?",
            param=None,
            request_id=response.headers.get("X-Request-Id"),
        )
    wait = response.headers.get("Retry-After", "")
    return ApiError(
        error.message,
        status=status,
        type=error.type,
        code=error.code,
        param=error.param,
        request_id=error.request_id,
        retry_after=float(wait) if wait.isdigit() else None,
    )
