"""The events of a streamed answer, read from any of the ways in which servers write them.

Comment lines, `\\r\\n`, fields without a space after the colon, `error:` lines (llama.cpp) and a last event without its
blank line are all seen in the wild.
"""

from __future__ import annotations

from dataclasses import dataclass

from servicekit.streams.sse import MAX_EVENT_BYTES, MalformedStream

DONE = b"[DONE]"


@dataclass(frozen=True, slots=True)
class Event:
    """One event's data; `failed` where the server says by other means than its content that this is an error."""

    data: bytes
    failed: bool = False


class EventReader:
    """Cuts a byte stream, whatever the boundaries of its pieces, into events."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[Event]:
        """The events that are complete now; raises `MalformedStream` for one that is too large."""
        rest = self._rest + piece
        if b"\r" in rest:
            rest = rest.replace(b"\r\n", b"\n")
        *blocks, self._rest = rest.split(b"\n\n")
        if len(self._rest) > MAX_EVENT_BYTES:
            raise MalformedStream("event too large")
        return [event for block in blocks if (event := _event(block)) is not None]

    def close(self) -> list[Event]:
        """What is left at the end of the stream."""
        event = _event(self._rest)
        self._rest = b""
        return [] if event is None else [event]


def _event(block: bytes) -> Event | None:
    if block.startswith(b"data: ") and b"\n" not in block:  # nearly all
        return Event(block[6:].strip())
    data: list[bytes] = []
    failed = False
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field in (b"data", b"error"):
            data.append(value)
        failed = failed or field == b"error" or (field == b"event" and value.strip() == b"error")
    return Event(b"\n".join(data).strip(), failed) if data else None
