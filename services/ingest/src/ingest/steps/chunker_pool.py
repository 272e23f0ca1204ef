"""Cutting in a worker: in threads of their own, that end when their job does and when its time is over.

So no document keeps others from the threads that everything else in the worker waits for, its health calls included.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from extraction.chunking.chunker import Chunk, Chunker
from extraction.model.document import Extracted
from extraction.model.failures import chunking_timed_out
from ingest.parts.files import dump

Result = TypeVar("Result")
Check = Callable[[], None]


@dataclass(frozen=True, slots=True)
class ChunkedPart:
    """A part's chunks, and its text and structure as they are kept, each with its SHA-256."""

    chunks: list[Chunk]
    text: bytes
    structure: bytes
    digests: tuple[str, str]


class _Ended(Exception):  # nobody waits for the thread any more, so nobody sees it
    """The job has left its thread."""


class ChunkerPool:
    """A thread for each of a worker's slots, and `seconds` for each document."""

    def __init__(self, slots: int, seconds: float) -> None:
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix="cutting")
        self._seconds = seconds

    def document(self) -> DocumentChunker:
        """The parts of one document, whose time begins with the first."""
        return DocumentChunker(self._pool, self._seconds)

    def close(self) -> None:
        """No more is cut."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class DocumentChunker:
    """Cuts one document's parts, one after the other."""

    def __init__(self, pool: ThreadPoolExecutor, seconds: float) -> None:
        self._pool = pool
        self._seconds = seconds
        self._spent = 0.0

    async def chunks(self, cutter: Chunker, part: Extracted, title: str) -> list[Chunk]:
        """A part's chunks; raises `ParseFailed` when the document's time is over. Cancelled, it ends the thread."""
        return await self._in_thread(lambda check: cutter.cut(part, title, check))

    async def part(self, cutter: Chunker, part: Extracted, title: str) -> ChunkedPart:
        """The same with what is kept of the part."""

        def cut(check: Check) -> ChunkedPart:
            chunks = cutter.cut(part, title, check)
            text, structure = part.text.encode(), dump(part, chunks)
            return ChunkedPart(chunks, text, structure, (_digest(text), _digest(structure)))

        return await self._in_thread(cut)

    async def _in_thread(self, work: Callable[[Check], Result]) -> Result:
        left = threading.Event()
        running = asyncio.get_running_loop().run_in_executor(self._pool, self._timed, work, left)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            left.set()
            await asyncio.wait({running})  # the slot is free when its thread is
            running.exception()
            raise

    def _timed(self, work: Callable[[Check], Result], left: threading.Event) -> Result:
        began, allowed = time.monotonic(), self._seconds - self._spent

        def check() -> None:
            if left.is_set():
                raise _Ended
            if time.monotonic() - began > allowed:
                raise chunking_timed_out(self._seconds)

        try:
            check()
            return work(check)
        finally:
            self._spent += time.monotonic() - began


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
