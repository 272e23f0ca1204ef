"""Answers from the cache: given again as they were, but for a receipt, which says so; and their recorder."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from contracts.models.versions import ModelVersion
from gateway.cache.answer_cache import Entry, Lookup
from gateway.streaming.exchange import Exchange
from gateway.streaming.observer import StreamObserver
from gateway.usage.meter import MeteredCall
from servicekit.core.identifiers import new_id
from servicekit.streams.sse import END, HEADERS, MEDIA_TYPE, data_of
from servicekit.telemetry.trace_context import trace_id

_ID = re.compile(rb'"id":\s*"(chatcmpl_[0-9a-f]{24})"')
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


class Kept(Protocol):
    """What is to have an answer as it goes out."""

    version: ModelVersion

    def keep(self, piece: bytes) -> None:
        """A piece of it."""
        ...


async def replay(
    exchange: Exchange, call: MeteredCall, entry: Entry, *, stream: bool, age: float, recording: Kept | None = None
) -> None:
    """Give an answer again under an id of its own: a stream as a stream, at once."""
    began = time.perf_counter()
    call.cache, call.model, call.streamed = "hit", entry.model, stream
    exchange.headers.update({**entry.headers, CACHE_HEADER: "hit", "Age": str(max(0, int(age)))})
    pieces = [_renewed(piece, exchange.request_id, began, stream=stream) for piece in _with_new_id(entry.pieces)]
    if recording is not None:
        recording.version = ModelVersion.of(entry.headers)
        for piece in pieces:
            recording.keep(piece)
    if call.assignment is not None and pieces and (name := _ID.search(pieces[0])) is not None:
        call.assignment.name_answer(name[1].decode())
    await call.finish()
    if not stream:
        await exchange.answer(200, {"content-type": "application/json"}, b"".join(pieces))
        return
    call.first_piece()
    await exchange.start(200, {**HEADERS, "content-type": MEDIA_TYPE})
    await exchange.piece(b"".join(pieces))
    await exchange.end()


def _with_new_id(pieces: Sequence[bytes]) -> Iterable[bytes]:
    """An id names one answer: records and feedback are found by it."""
    known = _ID.search(pieces[0]) if pieces else None
    if known is None:
        return pieces
    new = new_id("chatcmpl").encode()
    return [piece.replace(known[1], new) for piece in pieces]


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
