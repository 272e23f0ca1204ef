"""Answers from the cache: given again as they were, but for a receipt, which says so; and their recorder."""

from __future__ import annotations

import json
import time
from typing import Any

from gateway.cache.answer_cache import Entry, Lookup
from gateway.streaming.exchange import Exchange
from gateway.streaming.observer import StreamObserver
from gateway.usage.meter import MeteredCall
from servicekit.streams.sse import END, HEADERS, MEDIA_TYPE, data_of
from servicekit.telemetry.trace_context import trace_id

CACHE_HEADER = "X-Groundwork-Cache"
NO_TOKENS = {"prompt": 0, "completion": 0, "embedding": 0, "rerank": 0, "reading": 0}


class RecordingObserver:
    """Passes everything to another observer, and records what that lets out."""

    def __init__(self, observer: StreamObserver, lookup: Lookup) -> None:
        self._observer = observer
        self._lookup = lookup
        lookup.begin()

    async def frame(self, frame: bytes) -> bytes:
        """Recorded as it goes out."""
        out = await self._observer.frame(frame)
        self._lookup.record(out)
        return out

    async def whole(self, body: bytes) -> bytes:
        """Recorded as it goes out."""
        out = await self._observer.whole(body)
        self._lookup.record(out)
        return out

    async def last(self) -> bytes:
        """Recorded as it goes out."""
        out = await self._observer.last()
        self._lookup.record(out)
        return out

    def cut_off(self) -> None:
        """What was recorded is not complete."""
        self._lookup.storable = False
        self._observer.cut_off()

    def close(self) -> None:
        """The other observer's."""
        self._observer.close()


async def replay(exchange: Exchange, call: MeteredCall, entry: Entry, *, stream: bool, age: float) -> None:
    """Give an answer again: a stream as a stream, at once."""
    began = time.perf_counter()
    call.cache, call.model, call.streamed = "hit", entry.model, stream
    exchange.headers.update({**entry.headers, CACHE_HEADER: "hit", "Age": str(max(0, int(age)))})
    pieces = [_renewed(piece, exchange.request_id, began, stream=stream) for piece in entry.pieces]
    await call.finish()
    if not stream:
        await exchange.answer(200, {"content-type": "application/json"}, b"".join(pieces))
        return
    call.first_piece()
    await exchange.start(200, {**HEADERS, "content-type": MEDIA_TYPE})
    await exchange.piece(b"".join(pieces))
    await exchange.end()


def _renewed(piece: bytes, request_id: str, began: float, *, stream: bool) -> bytes:
    """A piece whose receipt, if it has one, is that of this call."""
    if b'"receipt":' not in piece:
        return piece
    try:
        answer: Any = json.loads(data_of(piece) if stream else piece)
        receipt = answer["groundwork"]["receipt"]
        stages = [{"name": "cache", "ms": round((time.perf_counter() - began) * 1000, 2)}]
        renewed = {"request_id": request_id, "trace_id": trace_id(), "stages": stages, "tokens": NO_TOKENS}
        receipt.update({**renewed, "cost_usd": "0", "attempts": [], "cache": "hit"})
    except (ValueError, KeyError, TypeError, AttributeError):
        return piece  # the word stood in the answer's text
    data = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
    return b"data: " + data + END if stream else data
