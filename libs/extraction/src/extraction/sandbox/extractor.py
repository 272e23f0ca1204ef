"""Reading a document in a process of its own, so that a hostile one fails its own job and nothing else.

Most documents need little memory, so each begins with a small share. One that fails on it goes on with as much as a
document may have at all, once other workers leave room for that.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path

import structlog

from extraction.model.document import START, Extracted, Resume
from extraction.model.failures import ParseFailed
from extraction.model.limits import Limits
from extraction.model.parts import joined
from extraction.sandbox import extract_task as task
from extraction.sandbox.sandbox import Bounds, MemoryBudget, Sandbox, take_file
from extraction.sandbox.version import reading_version

log = structlog.get_logger(__name__)
ABANDONED_FACTOR = 4
"""A folder that nothing was written to for so many times the longest parsing belongs to nobody."""
FILE_FACTOR = 8
"""Bytes that may be written for one character of text."""
UTF8_BYTES = 4
"""Of a character, at most."""
MOST_STRUCTURE_BYTES = 32 * 1024 * 1024
"""Of a part's blocks and headings as JSON, which take several times as much once they are parsed. A part of
`PART_CHARS` has 8 MB at most where each character is a block, and headings beside."""
MIN_SHARE = 256 * 1024 * 1024
"""Enough for every one of 421 real PDFs, office documents, web pages and mails (measured)."""
MAYBE_MEMORY = ("too_large", "malformed", "parser_crashed")
"""What a document is said to be when its parser got no memory: not every library says so."""


class SandboxedExtractor:
    """Reads each document in a worker of its own."""

    def __init__(
        self,
        limits: Limits,
        seconds: float,
        memory_bytes: int,
        scratch: Path | None = None,
        *,
        share_bytes: int | None = None,
        total_bytes: int | None = None,
    ) -> None:
        """A document may have `memory_bytes` and begins with `share_bytes`; all together have `total_bytes`.

        Without `share_bytes` it has all at once. What workers have read lies in `scratch` until it is taken.
        """
        self.limits = limits
        self.seconds = seconds
        self.memory_bytes = memory_bytes
        self.share_bytes = min(memory_bytes, share_bytes or memory_bytes)
        self.sandbox = Sandbox(MemoryBudget(total_bytes or memory_bytes), task.PRELOADED, scratch)

    @property
    def version(self) -> str:
        """The reading version: as long as it is the same, what can't be read can't be read."""
        return reading_version(self.limits, self.memory_bytes)

    def close(self) -> None:
        """End the fork server."""
        self.sandbox.close()

    def cleanup(self) -> None:
        """Remove what workers that were killed have left behind."""
        self.sandbox.cleanup(ABANDONED_FACTOR * self.seconds)

    async def parts(self, source: Path, media_type: str, resume: Resume = START) -> AsyncGenerator[Extracted, None]:
        """A file's parts as they are read; raises `ParseFailed`, also between parts. Close it: no worker stays behind.

        The worker does not wait for the caller: parts not taken yet lie on disk, all within its limits.
        """
        at = resume
        try:
            async with aclosing(self._parts(source, media_type, at, self.share_bytes)) as parts:
                async for part in parts:
                    yield part
                    at = at.after(part)
            return
        except ParseFailed as failure:
            if self.share_bytes == self.memory_bytes or failure.code not in MAYBE_MEMORY:
                raise
            log.info("a document gets more memory", code=failure.code, bytes=self.memory_bytes)
        async with aclosing(self._parts(source, media_type, at, self.memory_bytes)) as parts:
            async for part in parts:
                yield part

    async def extract(self, source: Path, media_type: str) -> Extracted:
        """The text and structure of a whole file; raises `ParseFailed`."""
        async with aclosing(self.parts(source, media_type)) as parts:
            return joined([part async for part in parts])

    async def _parts(
        self, source: Path, media_type: str, resume: Resume, memory_bytes: int
    ) -> AsyncGenerator[Extracted, None]:
        """The parts as one worker reads them."""
        options = {
            "media_type": media_type,
            "max_pages": self.limits.max_pages,
            "max_text_chars": self.limits.max_text_chars,
            "resume": asdict(resume),
        }
        bounds = Bounds(self.seconds, memory_bytes, self.limits.max_text_chars * FILE_FACTOR)
        async with self.sandbox.task(task.__name__, source, options, bounds) as reading:
            async for line in reading.lines():
                yield await asyncio.to_thread(
                    _take_part, reading.folder, int(line), UTF8_BYTES * self.limits.max_text_chars
                )


def _take_part(folder: Path, number: int, most_text_bytes: int) -> Extracted:
    """A part that the worker has finished; its files are removed. Raises `LeftTooMuch`."""
    text, structure = folder / f"{number}.text", folder / f"{number}.json"
    words = take_file(text, most_text_bytes, "text").decode()
    facts = take_file(structure, MOST_STRUCTURE_BYTES, "structure (headings, paragraphs, tables)")
    part = Extracted.from_json(words, json.loads(facts))
    text.unlink()
    structure.unlink()
    return part
