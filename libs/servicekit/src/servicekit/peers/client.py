"""The one HTTP client between services: aiohttp, bounded in time, errors as `ServiceError`.

It never retries (only the gateway's routes do) and passes on the request id and the trace of the call being answered.
"""

from __future__ import annotations

import asyncio
import io
import math
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
import structlog
from pydantic import BaseModel, ValidationError

from contracts.core.errors import ErrorEnvelope
from servicekit.core.errors import NotReady, PeerError, UpstreamFailed, UpstreamTimeout
from servicekit.core.identifiers import REQUEST_ID_HEADER
from servicekit.telemetry.metrics import PEER_REQUESTS, PEER_SECONDS
from servicekit.telemetry.spans import NOTHING, Attributes, span
from servicekit.telemetry.trace_context import CURRENT, TRACEPARENT, TRACESTATE, TraceContext

log = structlog.get_logger(__name__)
Answer = TypeVar("Answer", bound=BaseModel)
Body = BaseModel | bytes | AsyncIterator[bytes] | None
CONNECT_SECONDS = 3.0
MAX_CONNECTIONS = 256
LOOK_SECONDS = 0.1
"""How often a peer that is being restarted is tried."""


class PeerUnreachable(NotReady):
    """The peer does not accept connections."""

    def __init__(self, peer: str, called: str | None = None) -> None:
        """`called`: how the message says it."""
        super().__init__(f"The {called or f'{peer} service'} can't be reached now. Try again shortly.", retry_after=2)
        self.code = f"{peer}_unreachable"


class PeerTimeout(UpstreamTimeout):
    """The peer took too long."""

    def __init__(self, peer: str, called: str | None = None) -> None:
        """`called`: how the message says it."""
        super().__init__(
            f"The {called or f'{peer} service'} did not answer in time. Try again, or ask for less at once."
        )
        self.code = f"{peer}_timeout"


class PeerMalformed(UpstreamFailed):
    """The peer's answer is not what the contract says."""

    def __init__(self, peer: str) -> None:
        super().__init__(f"The {peer} service gave an answer that can't be used. Its log says more.")
        self.code = f"{peer}_malformed"


class _NoAddress(Exception):
    """The peer is nowhere at the moment."""


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class PeerStream:
    """An answer whose body is still arriving."""

    def __init__(self, peer: str, response: aiohttp.ClientResponse, called: str | None = None) -> None:
        self._peer = peer
        self._called = called
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives; raises `UpstreamFailed` if it breaks off."""
        try:
            async for piece in self._response.content.iter_any():
                yield piece
        except TimeoutError:
            raise PeerTimeout(self._peer, self._called) from None
        except aiohttp.ClientError:
            called = self._called or f"{self._peer} service"
            raise UpstreamFailed(f"The {called} broke off in the middle of its answer. Ask again.") from None


def open_session(
    connections: int = MAX_CONNECTIONS, connector: aiohttp.TCPConnector | None = None, *, outside: bool = False
) -> aiohttp.ClientSession:
    """A pool for all of a service's peers; close it when the service ends. Needs a running event loop.

    A call beyond so many `connections` waits without limit of time: 0 means no limit, for who bounds calls otherwise.
    With a `connector` it is that one's connections. `outside`: to servers of others, by the proxies that the
    environment names, and to where they send on as they write it, since signed URLs hold as they are only.
    """
    return aiohttp.ClientSession(
        connector=connector or aiohttp.TCPConnector(limit=connections, keepalive_timeout=30),
        headers={"Accept-Encoding": "identity"},  # aiohttp would ask for gzip, and answers are passed on as they come
        auto_decompress=False,
        trust_env=outside,
        requote_redirect_url=not outside,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


class Peer:
    """One service that another calls."""

    def __init__(
        self,
        name: str,
        base_url: str,
        session: aiohttp.ClientSession,
        timeout_seconds: float = 30.0,
        *,
        is_ours: bool = True,
        restart_seconds: float = 0.0,
        called: str | None = None,
    ) -> None:
        """`is_ours`: whether it is one of our services, which record calls to them themselves; a call to another is
        a span here, and names its trace only if that is recorded.
        `called`: how messages to callers say it, where its name tells them nothing.

        `restart_seconds`: how long calls wait for it once it takes no connections any more, though it did before.
        """
        self.name = name
        self._called = called
        self._base: str | None = base_url.rstrip("/")
        self._session = session
        self._timeout = timeout_seconds
        self._is_ours = is_ours
        self._restart_seconds = restart_seconds
        self._away_since: float | None = -math.inf  # it was never there, as far as we know
        self._attributes: Attributes = {"server.address": urlsplit(base_url).hostname, "peer.service": name}

    def move(self, base_url: str | None) -> None:
        """It is at another address from now on; None while it has none, which is as if it took no connections."""
        self._base = base_url.rstrip("/") if base_url else None
        if base_url:
            self._away_since = None

    @property
    def timeout_seconds(self) -> float:
        """How long it may say nothing, unless a call says otherwise."""
        return self._timeout

    @property
    def called(self) -> str | None:
        """How messages to callers say it."""
        return self._called

    async def call(
        self,
        method: str,
        path: str,
        answer: type[Answer],
        *,
        token: str | None = None,
        body: Body = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
    ) -> Answer:
        """Call and parse the answer; raises `PeerError` with the peer's envelope, or that it can't be used."""
        got = await self.send(
            method, path, token=token, body=body, params=params, headers=headers, timeout_seconds=timeout_seconds
        )
        try:
            return answer.model_validate_json(got.body)
        except ValidationError as error:
            log.warning("malformed answer", peer=self.name, path=path, error=str(error)[:500])
            raise PeerMalformed(self.name) from None

    async def send(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: Body = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
    ) -> PeerAnswer:
        """Call and read the whole answer, which is a success (below 400)."""
        async with self.stream(
            method, path, token=token, body=body, params=params, headers=headers, timeout_seconds=timeout_seconds
        ) as stream:
            content = b"".join([piece async for piece in stream.pieces()])
            return PeerAnswer(stream.status, stream.headers, content)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: Body = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
        check_status: bool = True,
        passes: Collection[int] = (),
        patient: bool = True,
    ) -> AsyncIterator[PeerStream]:
        """Call and hand over the answer while it arrives; leaving the block early ends the peer's work.

        `passes`: statuses whose answers are handed over though they are errors, since their form is not ours.
        Unless it is `patient`, it does not wait for a peer that is being restarted.

        The timeout bounds the wait for each piece of the answer, not the whole.
        """
        calling = NOTHING if self._is_ours else span(f"{method} {self.name}", "client", self._attributes)
        try:
            context = calling.context or CURRENT.get()
            sent = self._headers(token, body, headers, context)

            def options() -> dict[str, Any]:
                return {"params": params, "data": _encode(body), "headers": sent}

            response = await self._request(method, path, timeout_seconds or self._timeout, options, patient=patient)
            calling.set({"http.response.status_code": response.status})
            try:
                if check_status and response.status >= 400 and response.status not in passes:
                    raise await self._peer_error(response)
                yield PeerStream(self.name, response, self._called)
            finally:
                if not response.content.is_eof():
                    response.close()
                response.release()
        except BaseException as error:
            calling.fail(error)
            raise
        finally:
            calling.end()

    async def _request(
        self, method: str, path: str, seconds: float, options: Callable[[], dict[str, Any]], *, patient: bool
    ) -> aiohttp.ClientResponse:
        """The head of an answer. While nothing listens, nothing was sent: trying again then is no second try."""
        started = time.perf_counter()
        limits = _timeout(seconds)
        try:
            while True:
                try:
                    response = await self._session.request(
                        method, self._url(path), timeout=limits, allow_redirects=False, **options()
                    )
                    break
                except (aiohttp.ClientConnectorError, _NoAddress):
                    if not (patient and self._is_restarting()):
                        raise
                await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            PEER_REQUESTS.labels(self.name, "timeout").inc()
            raise PeerTimeout(self.name, self._called) from None
        except (aiohttp.ClientError, OSError, _NoAddress) as error:
            PEER_REQUESTS.labels(self.name, "unreachable").inc()
            log.warning("peer unreachable", peer=self.name, error=repr(error))
            raise PeerUnreachable(self.name, self._called) from None
        self._away_since = None
        PEER_SECONDS.labels(self.name).observe(time.perf_counter() - started)
        PEER_REQUESTS.labels(self.name, "ok" if response.status < 400 else "error").inc()
        return response

    def _is_restarting(self) -> bool:
        """Whether it was there a moment ago; one that is away for longer is not waited for."""
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
            if self._restart_seconds:
                log.warning("peer takes no connections; waiting for it", peer=self.name)
        return now - self._away_since < self._restart_seconds

    async def probe(self) -> None:
        """Raise unless the peer says that it is ready."""
        async with self.stream("GET", "/readyz", timeout_seconds=2.5, patient=False) as stream:
            async for _ in stream.pieces():
                pass

    async def _peer_error(self, response: aiohttp.ClientResponse) -> Exception:
        try:
            parsed = ErrorEnvelope.model_validate_json(await response.read())
        except (ValidationError, aiohttp.ClientError, TimeoutError):
            log.warning("error without envelope", peer=self.name, status=response.status)
            return (
                NotReady(f"The {self.name} service is not ready.")
                if response.status == 503
                else PeerMalformed(self.name)
            )
        retry_after = response.headers.get("Retry-After", "")
        return PeerError(response.status, parsed.error, float(retry_after) if retry_after.isdigit() else None)

    def _url(self, path: str) -> str:
        if any(part in (".", "..") for part in path.partition("?")[0].split("/")):
            raise ValueError(f"a path that leads elsewhere: {path}")  # a bug of ours: names are checked before
        if self._base is None:
            raise _NoAddress
        return self._base + path

    def _headers(
        self, token: str | None, body: Body, extra: Mapping[str, str] | None, context: TraceContext | None
    ) -> dict[str, str]:
        headers = dict(extra or {})
        if context is not None and (self._is_ours or context.sampled):
            headers[TRACEPARENT] = context.header()
            if context.state:
                headers[TRACESTATE] = context.state
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        if request_id:
            headers.setdefault(REQUEST_ID_HEADER, request_id)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if isinstance(body, BaseModel):
            headers.setdefault("Content-Type", "application/json")
        return headers


def _encode(body: Body) -> io.BytesIO | AsyncIterator[bytes] | None:
    content = body.model_dump_json(exclude_unset=True).encode() if isinstance(body, BaseModel) else body
    return io.BytesIO(content) if isinstance(content, bytes) else content  # aiohttp sends it in pieces


def _timeout(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=seconds)
