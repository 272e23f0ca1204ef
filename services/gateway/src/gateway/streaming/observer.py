"""The protocol of what looks at, and may change, an answer while it passes."""

from __future__ import annotations

from typing import Protocol


class StreamObserver(Protocol):
    """Sees an answer of one call."""

    async def frame(self, frame: bytes) -> bytes:
        """A frame of a stream, as it should go on; empty if it should not."""
        ...

    async def whole(self, body: bytes) -> bytes:
        """A whole answer, as it should go on."""
        ...

    async def last(self) -> bytes:
        """A frame of our own before the stream's end; mostly none."""
        ...

    def cut_off(self) -> None:
        """The client has left; what the engine did until then is still to be paid for."""
        ...

    def close(self) -> None:
        """No more comes, whether the answer is complete or not."""
        ...
