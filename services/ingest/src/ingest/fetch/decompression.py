"""Where a response's body goes: decompressed as it arrives, and bounded before it is written."""

from __future__ import annotations

import zlib
from typing import BinaryIO

from ingest.errors import FarServerFailed, FetchTooLarge

PIECE = 256 * 1024
_ZLIB_OR_GZIP = 47
"""zlib's word for either format, told apart by its header."""


class Sink:
    """Takes a body in pieces. It blocks, and may burn the processor: call it from a thread."""

    def __init__(self, into: BinaryIO, limit: int, encoding: str) -> None:
        """`limit` bounds the bytes both as sent and as decompressed; raises `FarServerFailed` for other encodings."""
        self._into = into
        self._limit = limit
        self._sent = 0
        self._kept = 0
        coding = encoding.strip().lower()
        if coding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise FarServerFailed("the far server used a compression that it was not asked for")
        self._inflate = None if coding in ("", "identity") else zlib.decompressobj(_ZLIB_OR_GZIP)

    def write(self, piece: bytes) -> None:
        """Take a piece; raises `FetchTooLarge`, or `FarServerFailed` where it can't be decompressed."""
        self._sent += len(piece)
        if self._sent > self._limit:
            raise FetchTooLarge(self._limit)
        if self._inflate is None:
            self._keep(piece)
            return
        try:
            self._decompress(piece)
        except zlib.error:
            raise _broken() from None

    def end(self) -> None:
        """The body is complete; raises `FarServerFailed` if it was cut off inside a compressed stream."""
        if self._inflate is not None and self._sent and not self._inflate.eof:
            raise _broken()

    def _decompress(self, piece: bytes) -> None:
        assert self._inflate is not None
        while piece:
            if self._inflate.eof:  # another gzip member, or the padding that some servers add
                if not piece.strip(b"\0"):
                    return
                self._inflate = zlib.decompressobj(_ZLIB_OR_GZIP)
            self._keep(self._inflate.decompress(piece, PIECE))
            piece = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail

    def _keep(self, data: bytes) -> None:
        self._kept += len(data)
        if self._kept > self._limit:
            raise FetchTooLarge(self._limit)
        self._into.write(data)


def _broken() -> FarServerFailed:
    return FarServerFailed("the far server's compressed answer is broken")
