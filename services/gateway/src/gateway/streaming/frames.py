"""Events of a stream as whole frames, passed on without being taken apart unless something in them concerns us."""

from __future__ import annotations

from servicekit.streams.sse import MAX_EVENT_BYTES, MalformedStream

DONE = b"data: [DONE]"
ERROR = b"event: error"
END = b"\n\n"


class Frames:
    """Cuts a byte stream, whatever the boundaries of its pieces, after each blank line."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """The frames that are complete now, each with its blank line; raises `MalformedStream`."""
        data = self._rest + piece
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        *whole, self._rest = data.split(END)
        if len(self._rest) > MAX_EVENT_BYTES:
            raise MalformedStream("event too large")
        return [frame + END for frame in whole if frame]

    def close(self) -> None:
        """The stream has ended; raises `MalformedStream` if it did so inside a frame."""
        if self._rest.strip():
            raise MalformedStream("ended inside an event")


def is_done(frame: bytes) -> bool:
    """Whether this is OpenAI's end of a stream."""
    return frame.startswith(DONE)


def is_error(frame: bytes) -> bool:
    """Whether this event says that the stream failed."""
    return frame.startswith(ERROR)


def data_of(frame: bytes) -> bytes:
    """The `data` of a frame, its lines joined."""
    lines = (line for line in frame.split(b"\n") if line.startswith(b"data:"))
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)
