"""One call between a client and an inner service: bodies stream both ways, and a client that leaves ends the work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from gateway.streaming.citation_links import CitationLinks
from servicekit.core.errors import CLIENT_CLOSED, InvalidRequest, PeerError, ServiceError, UpstreamFailed
from servicekit.streams.disconnect import CallerLeft, while_connected
from servicekit.telemetry.spans import NOTHING, Span
from servicekit.web.error_handlers import error_response
from servicekit.web.headers import header_of
from servicekit.web.json_bodies import LARGE_BYTES

log = structlog.get_logger(__name__)
BODY_SECONDS = 30.0
"""How long a body may take, and a second more for each `BODY_BYTES`: no client may sleep in a call's slot."""
BODY_BYTES = 32 * 1024
CHECK_SECONDS = 0.1
"""How often it is asked whether an answer that streams may go on: with a key's time in the cache it makes a second."""
FORWARDED_ANSWER_HEADERS = (
    "cache-control",
    "content-disposition",
    "content-length",
    "content-security-policy",
    "content-type",
    "etag",
    "last-modified",
    "mcp-session-id",
    "retry-after",
    "x-accel-buffering",
    "x-content-type-options",
    "x-groundwork-boxes",
)
"""What an inner service may say to the client; nothing else passes."""
FORWARDED_REQUEST_HEADERS = (
    "accept",
    "content-length",
    "content-type",
    "idempotency-key",
    "if-none-match",
    "last-event-id",
    "mcp-protocol-version",
    "mcp-session-id",
)
"""What a client may say to an inner service; credentials, cookies and forwarding headers never pass."""


class BodyTooSlow(InvalidRequest):
    """The body does not come."""

    code = "body_too_slow"

    def __init__(self) -> None:
        super().__init__("The body did not arrive in time. Send it at once, or over a faster connection.")


class InnerRefusedToken(UpstreamFailed):
    """An inner service did not accept the gateway's own token: an operator's matter, not the caller's."""

    code = "inner_call_refused"

    def __init__(self) -> None:
        super().__init__(
            "An inner service refused the gateway's token. Its public key or clock differs; tell your operator."
        )


class Exchange:
    """One call while it is answered. Call `body`, `upload` or neither; then `answer`, or `start`, `piece`…, `end`."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.request_id: str = scope.get("state", {}).get("request_id", "")
        self.path_params: Mapping[str, str] = scope.get("path_params", {})
        self.headers: dict[str, str] = {}
        """Headers that are added to whatever is answered, an error too."""
        self.links: CitationLinks | None = None
        """Of an answer that may cite documents."""
        self.started = False
        self.ended = False
        self.failure: BaseException | None = None
        self._receive = receive
        self._send = send
        self._watch = asyncio.Event()
        self._closed = asyncio.Event()
        self._may_go_on: Callable[[], Awaitable[None]] | None = None
        self._asked = 0.0

    @property
    def span(self) -> Span:
        """The call's span."""
        span: Span = self.scope.get("state", {}).get("span", NOTHING)
        return span

    def goes_on_while(self, may: Callable[[], Awaitable[None]]) -> None:
        """Have `may` asked while an answer streams; what it raises ends that before another piece goes out."""
        self._may_go_on, self._asked = may, time.monotonic()

    def header(self, name: str) -> str | None:
        """A request header, by its lower-case name."""
        return header_of(self.scope, name.encode())

    def cites(self) -> CitationLinks:
        """Have the citations of what is answered link to the gateway as this caller reaches it."""
        self.links = CitationLinks(self.scope)
        return self.links

    @property
    def body_is_large(self) -> bool:
        """Whether the body is, or may be, larger than what is read without a second thought."""
        declared = self.header("content-length")
        if declared is None:
            return self.header("transfer-encoding") is not None
        return not declared.isdigit() or int(declared) > LARGE_BYTES

    def forwarded_headers(self) -> dict[str, str]:
        """The request headers that an inner service may see."""
        pairs = ((name, self.header(name)) for name in FORWARDED_REQUEST_HEADERS)
        return {name: value for name, value in pairs if value is not None}

    async def body(self) -> bytes:
        """The whole request body; its size is bounded before it gets here. Raises `BodyTooSlow`."""
        pieces: list[bytes] = []
        try:
            async with asyncio.timeout(BODY_SECONDS) as limit:
                while True:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    pieces.append(message.get("body", b""))
                    if not message.get("more_body", False):
                        self._watch.set()
                        return b"".join(pieces)
                    if pieces[-1]:
                        limit.reschedule((limit.when() or 0) + len(pieces[-1]) / BODY_BYTES)
        except TimeoutError:
            raise BodyTooSlow from None

    async def upload(self) -> AsyncIterator[bytes]:
        """The request body as it arrives. If it breaks off, the whole work is ended from outside."""
        try:
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                if message.get("body"):
                    yield message["body"]
                if not message.get("more_body", False):
                    self._watch.set()
                    return
        except (ServiceError, ClientDisconnect) as error:
            self.failure = error
            self._watch.set()
            await self._closed.wait()  # the HTTP client would take an error here for the peer's
            raise

    def no_body(self) -> None:
        """This call has none."""
        self._watch.set()

    def close(self) -> None:
        """The call is over; an upload that nobody wants any more ends."""
        self._closed.set()

    async def gone(self) -> None:
        """Return when the client has left, or its upload has failed."""
        await self._watch.wait()
        while self.failure is None and (await self._receive())["type"] != "http.disconnect":
            pass

    async def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """A whole answer."""
        body = body if self.links is None else self.links.absolute(body)
        await self.start(status, {**headers, "content-length": str(len(body))})
        self.ended = True
        await self._send({"type": "http.response.body", "body": body})

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of an answer whose body follows in pieces."""
        self.started = True
        merged = {name.lower(): value for name, value in (*headers.items(), *self.headers.items())}
        pairs = [(name.encode(), value.encode("latin-1", "replace")) for name, value in merged.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def piece(self, data: bytes) -> None:
        """A part of the body; whole events, where an answer may cite."""
        if self._may_go_on is not None and time.monotonic() - self._asked > CHECK_SECONDS:
            may, self._may_go_on = self._may_go_on, None  # so that the error itself can go out
            await may()
            self.goes_on_while(may)
        data = data if self.links is None else self.links.absolute(data)
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """The body is complete."""
        self.ended = True
        await self._send({"type": "http.response.body", "body": b""})

    async def fail(self, error: ServiceError) -> None:
        """An error as the whole answer, or, in the middle of one, a connection that visibly breaks off."""
        if self.started:
            log.warning("answer broken off", code=error.code, message=error.message)
            return
        if error.http_status >= 500:
            log.warning("call failed", code=error.code, message=error.message)
        response = error_response(error, self.request_id)
        response.headers.update(self.headers)
        self.started = True
        await response(self.scope, self._receive, self._send)


class Relay(Response):
    """A response that does its work while it is sent. The work is cancelled when the client leaves."""

    def __init__(
        self,
        work: Callable[[Exchange], Awaitable[None]],
        exchange: Callable[[Scope, Receive, Send], Exchange] = Exchange,
    ) -> None:
        """`exchange`: what makes the exchange, for callers that are answered in another form."""
        super().__init__()
        self._work = work
        self._exchange = exchange

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do the work and answer."""
        exchange = self._exchange(scope, receive, send)
        error: BaseException | None = None
        try:
            async with while_connected(exchange.gone(), lambda: exchange.ended):
                await self._work(exchange)
        except CallerLeft as left:
            error = exchange.failure or left
        except (ServiceError, ClientDisconnect) as raised:
            error = raised
        finally:
            exchange.close()
        if isinstance(error, ServiceError) and not isinstance(error, CallerLeft):
            await exchange.fail(_for_the_public(error))
        elif error is not None:
            await _close_the_books(exchange, send)


async def _close_the_books(exchange: Exchange, send: Send) -> None:
    """Nobody reads this any more; it makes logs and metrics say 499 rather than 500."""
    if not exchange.started:
        head: Message = {"type": "http.response.start", "status": CLIENT_CLOSED, "headers": []}
        await send(head)
        await send({"type": "http.response.body", "body": b""})


def _for_the_public(error: ServiceError) -> ServiceError:
    return InnerRefusedToken() if isinstance(error, PeerError) and error.http_status == 401 else error


def passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an inner answer that the client may see."""
    return {name: headers[name] for name in FORWARDED_ANSWER_HEADERS if name in headers}
