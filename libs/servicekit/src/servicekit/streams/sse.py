"""Server-sent events: writing them, and reading them from bytes that arrive in any pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from servicekit.core.errors import ServiceError, envelope

DONE = b"data: [DONE]\n\n"
MEDIA_TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
MAX_EVENT_BYTES = 8 * 1024 * 1024


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


async def decode(pieces: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """The events of a stream, whatever the boundaries of its pieces; raises `MalformedStream`."""
    buffer, held = bytearray(), b""
    async for piece in pieces:
        new = held + piece
        held = b"\r" if new.endswith(b"\r") else b""  # its line feed may be in the next piece
        seen = max(0, len(buffer) - 1)  # no event ends before: a long one in many pieces is searched once
        buffer += new[: len(new) - len(held)].replace(b"\r\n", b"\n")
        while (end := buffer.find(b"\n\n", seen)) >= 0:
            event = _parse(bytes(buffer[:end]))
            del buffer[: end + 2]
            seen = 0
            if event is not None:
                yield event
        if len(buffer) > MAX_EVENT_BYTES:
            raise MalformedStream("event too large")
    if (buffer + held).strip():
        raise MalformedStream("ended inside an event")


def _parse(block: bytes) -> Event | None:
    data: list[str] = []
    name, event_id = "message", None
    for line in block.decode("utf-8", "replace").split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
        elif field == "id":
            event_id = value
    return Event("\n".join(data), name, event_id) if data else None
