"""The events of a streamed answer, read from any of the ways in which servers write them.

Comment lines, `\\r\\n`, fields without a space after the colon, `error:` lines (llama.cpp) and a last event without its
blank line are all seen in the wild.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.models.chat import STREAM_END
from servicekit.streams.sse import END, FrameCutter

DONE = STREAM_END.encode()


@dataclass(frozen=True, slots=True)
class Event:
    """One event's data; `failed` where the server says by other means than its content that this is an error."""

    data: bytes
    failed: bool = False


class EventReader:
    """Cuts a byte stream, whatever the boundaries of its pieces, into events."""

    def __init__(self) -> None:
        self._cutter = FrameCutter()

    def feed(self, piece: bytes) -> list[Event]:
        """The events that are complete now; raises `MalformedStream` for one that is too large."""
        return [event for frame in self._cutter.feed(piece) if (event := _event(frame)) is not None]

    def close(self) -> list[Event]:
        """What is left at the end of the stream."""
        event = _event(self._cutter.take_rest())
        return [] if event is None else [event]


def _event(block: bytes) -> Event | None:
    block = block.removesuffix(END)
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
