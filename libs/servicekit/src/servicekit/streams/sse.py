"""Server-sent events: writing them, cutting them from bytes that arrive in any pieces, and reading them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from contracts.models.chat import STREAM_END
from servicekit.core.errors import ServiceError, envelope

END = b"\n\n"
"""What ends an event."""
DONE = f"data: {STREAM_END}".encode() + END
MEDIA_TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
MAX_EVENT_BYTES = 8 * 1024 * 1024
_DONE, _ERROR = DONE.removesuffix(END), b"event: error"


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `data` has its lines joined by newlines."""

    data: str
    event: str = "message"
    id: str | None = None


class MalformedStream(Exception):
    """The stream broke off inside an event, or an event is larger than `MAX_EVENT_BYTES`."""


def encode(data: str, event: str | None = None, event_id: str | None = None) -> bytes:
    """One event as bytes."""
    head = (f"event: {event}\n" if event else "") + (f"id: {event_id}\n" if event_id else "")
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"{head}{lines}\n".encode()


def encode_error(error: ServiceError, request_id: str | None) -> bytes:
    """The `event: error` that ends a stream in which bytes were already sent."""
    return encode(envelope(error, request_id).decode(), event="error")


class FrameCutter:
    """Cuts a byte stream into frames, one an event, whatever the boundaries of its pieces.

    Frames are passed on as they are: to take each apart would cost more than all else that is done for it.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._return = b""
        """A carriage return whose line feed may be in the next piece."""

    def feed(self, piece: bytes) -> list[bytes]:
        """The frames that are complete now, each with its blank line; raises `MalformedStream`."""
        if self._return or b"\r" in piece:
            piece = self._return + piece
            self._return = b"\r" if piece.endswith(b"\r") else b""
            piece = piece.removesuffix(b"\r").replace(b"\r\n", b"\n")
        if self._rest:
            searched = max(0, len(self._rest) - 1)  # a long event in many pieces is searched once
            self._rest += piece
            piece = bytes(self._rest) if self._rest.find(END, searched) >= 0 else b""
        if piece:
            *whole, rest = piece.split(END)
            self._rest = bytearray(rest)
        else:
            whole = []
        if len(self._rest) > MAX_EVENT_BYTES:
            raise MalformedStream("event too large")
        return [frame + END for frame in whole if frame]

    def take_rest(self) -> bytes:
        """What came after the last whole frame; for readers that take a last event without its blank line."""
        rest, self._rest = bytes(self._rest) + self._return, bytearray()
        return rest

    def close(self) -> None:
        """The stream has ended; raises `MalformedStream` if it did so inside an event."""
        if self.take_rest().strip():
            raise MalformedStream("ended inside an event")


def is_done(frame: bytes) -> bool:
    """Whether this is OpenAI's end of a stream."""
    return frame.startswith(_DONE)


def is_error(frame: bytes) -> bool:
    """Whether this event says that the stream failed."""
    return frame.startswith(_ERROR)


def data_of(frame: bytes) -> bytes:
    """The `data` of a frame, its lines joined."""
    lines = (line for line in frame.split(b"\n") if line.startswith(b"data:"))
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)


async def decode(pieces: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """The events of a stream; raises `MalformedStream`."""
    cutter = FrameCutter()
    async for piece in pieces:
        for frame in cutter.feed(piece):
            if (event := _parse(frame)) is not None:
                yield event
    cutter.close()


def _parse(frame: bytes) -> Event | None:
    data: list[str] = []
    name, event_id = "message", None
    for line in frame.decode("utf-8", "replace").split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
        elif field == "id":
            event_id = value
    return Event("\n".join(data), name, event_id) if data else None
