"""What a client may cost before any of our code has seen a request: bytes in memory, and time.

uvicorn reads a head of any length, waits for its end for ever, and for ever for a client that does not read its answer.
Here a connection is closed that sends too much without a whole head or a byte of a body (lines of a head, extensions of
chunks, trailers), that begins no request in time, or that takes nothing of an answer for a while.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from contracts.core.errors import ErrorBody, ErrorEnvelope
from servicekit.web.write_coalescing import CoalescingProtocol

log = structlog.get_logger(__name__)
MOST_UNREAD = 128 * 1024
"""Bytes of a head, or of anything else between two bytes of a body."""
HEAD_SECONDS = 30.0
"""From the first byte of a head, or from the connection's beginning, to the head's end."""
STALL_SECONDS = 60.0
"""Longest wait for a client to take more of an answer. The transport's buffer has 64 KiB, so that a client of 1 KiB a
second is not too slow."""
_HEAD = b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"


class BoundedProtocol(CoalescingProtocol):
    """uvicorn's protocol with bounds on what it does by itself."""

    head_seconds = HEAD_SECONDS
    stall_seconds = STALL_SECONDS

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._unread = 0
        self._is_refused = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a head, but not for ever."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        super().connection_lost(exc)
        for timer in (self._head_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Read on, unless it is too much that says nothing."""
        self._unread += len(data)
        super().data_received(data)
        if self._unread and not self.transport.is_closing():  # a part of a head, most likely
            if self._unread > MOST_UNREAD:
                self._refuse(431, "Request Header Fields Too Large", "too_large", "The request's head is too long.")
            elif self._head_timer is None:
                self._await_head()

    def on_headers_complete(self) -> None:
        """A whole head."""
        self._unread = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        self._is_refused = self._refuses_head()
        if not self._is_refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Some of a body."""
        self._unread = 0
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """A whole request."""
        self._unread = 0
        if not self._is_refused:
            super().on_message_complete()

    def _refuses_head(self) -> bool:
        """Whether a head that the parser takes was refused: proxies before us may read it in another way."""
        hosts = sum(name == b"host" for name, _ in self.headers)
        codings = [value.strip().lower() for name, value in self.headers if name == b"transfer-encoding"]
        if hosts != 1 and (hosts or self.parser.get_http_version() == "1.1"):
            self.send_400_response("A request names its host, once.")
        elif codings not in ([], [b"chunked"]):
            self.send_400_response("A body comes as it is or 'chunked': no other transfer encoding is understood.")
        else:
            return False
        return True

    def pause_writing(self) -> None:
        """The client does not keep up."""
        super().pause_writing()
        if self._stall_timer is None:
            self._stall_timer = self.loop.call_later(self.stall_seconds, self._give_up)

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def send_400_response(self, msg: str) -> None:
        """In the envelope of every other error."""
        self._refuse(400, "Bad Request", "malformed_http", f"{msg} Send a well-formed HTTP/1.1 request.")

    def _refuse(self, status: int, phrase: str, code: str, message: str) -> None:
        if self.pipeline or (not self._is_idle() and self.cycle.response_started):  # nothing goes into an answer
            self.transport.abort()
            return
        error = ErrorBody(type="invalid_request", code=code, message=message)
        body = ErrorEnvelope(error=error).model_dump_json().encode()
        self.transport.write(_HEAD % (status, phrase.encode(), len(body)) + body)
        self.transport.close()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._no_head)

    def _no_head(self) -> None:
        self._head_timer = None
        if self._is_idle() and not self.transport.is_closing():
            self.transport.close()

    def _give_up(self) -> None:
        self._stall_timer = None
        log.warning("a client takes nothing of its answer", client=self.client, seconds=self.stall_seconds)
        self.transport.abort()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete
