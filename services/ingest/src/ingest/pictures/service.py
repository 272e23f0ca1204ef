"""Pictures of PDF pages with the places of spans marked, each drawn in a child process."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping

from extraction.formats.catalog import PDF
from extraction.model.failures import ParseFailed
from extraction.sandbox.pool import ForkServerLost
from extraction.sandbox.sandbox import Bounds, MemoryBudget, Sandbox, take_file
from ingest.documents import repository as documents
from ingest.parts.files import Part
from ingest.parts.repository import list_parts
from ingest.pictures import task
from ingest.pictures.errors import (
    NoPlaceOnPage,
    NotAPdf,
    OriginalTooSlow,
    PageNotDrawable,
    PageNotFound,
    PictureBrokenOff,
    PicturesBusy,
)
from ingest.ports import BlobStore
from ingest.tenant_slots import TenantSlots
from servicekit.sql.transaction import Transaction

DRAWING = 2
"""Changes when pages are drawn otherwise, so that browsers ask anew."""
AT_ONCE, SHARE = 2, 1
"""Pages that a process draws at once, in all and of one tenant."""
MOST_BYTES = 32 * 1024 * 1024
"""Of a picture: more than one of the most pixels has."""
MOST_FACTS_BYTES = 16 * 1024
"""Of what is said of a picture: many times what `MOST_BOXES` boxes take."""
FETCH_SHARE = 0.5
"""If fetching took more of a picture's time than this, the page is not to be blamed that the rest was too short."""
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What one picture may cost."""

    memory_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page of one revision of a PDF, and what is to be marked on it."""

    document_id: str
    number: int
    blob_key: str
    part: Part | None
    """That the page was read into; none while it has not been read."""
    spans: tuple[Span, ...]
    """Of the document's text."""

    @property
    def etag(self) -> str:
        """Another one whenever the picture may be another."""
        part = (self.part.text_key, self.part.structure_key) if self.part and self.spans else ()
        facts = json.dumps([DRAWING, self.blob_key, self.number, self.spans, part])
        return f'"{hashlib.sha256(facts.encode()).hexdigest()[:32]}"'


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A picture, and the boxes that are marked in it: left, top, right, bottom in pixels."""

    png: bytes
    boxes: list[list[int]]


async def get_page(
    connection: Transaction, document: RowMapping, revision: int | None, number: int, spans: Sequence[Span]
) -> PageRequest:
    """A page of a revision, by default the active one or, before there is one, the newest; raises `NotAPdf`."""
    row = await documents.get_revision(connection, document, revision or document["active_revision"])
    if row["media_type"] != PDF:
        raise NotAPdf(document["id"], row["media_type"])
    parts = await list_parts(connection, document["key"], row["n"]) if spans else []
    part = next((part for part in parts if (part.last_page or 0) >= number), None)
    return PageRequest(document["id"], number, row["blob_key"], part, tuple(spans))


class PagePictures:
    """Draws pages."""

    def __init__(self, blobs: BlobStore, limits: PictureLimits, scratch: Path) -> None:
        """`scratch` is where pictures lie until they are sent."""
        scratch.mkdir(parents=True, exist_ok=True)
        self._blobs = blobs
        self._limits = limits
        self._sandbox = Sandbox(MemoryBudget(AT_ONCE * limits.memory_bytes), [task.__name__], scratch)
        self._slots = TenantSlots(AT_ONCE, SHARE, PicturesBusy)

    def close(self) -> None:
        """End the fork server."""
        self._sandbox.close()

    async def draw(self, tenant: str, page: PageRequest) -> PagePicture:
        """The picture; raises `PageNotFound`, `NoPlaceOnPage`, `PageNotDrawable`, `PicturesBusy`, `OriginalTooSlow`,
        `BlobMissing`, `BlobStoreAway`. A slot is held for the picture's seconds at most, fetching included.
        """
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._limits.seconds):
                    await stack.enter_async_context(self._slots.taken(tenant, wait=True))
            except TimeoutError:
                raise PicturesBusy from None
            picture = await self._drawn(page)
        if page.spans and not picture.boxes:
            raise NoPlaceOnPage(page.number)
        return picture

    async def _drawn(self, page: PageRequest) -> PagePicture:
        loop, seconds = asyncio.get_running_loop(), self._limits.seconds
        end = loop.time() + seconds
        async with AsyncExitStack() as files:
            try:
                async with asyncio.timeout_at(end):
                    source = await files.enter_async_context(self._blobs.local(page.blob_key))
                    options = await files.enter_async_context(self._options(page))
            except TimeoutError:
                raise OriginalTooSlow(page.number, seconds) from None
            left = max(0.0, end - loop.time())
            bounds = Bounds(left, self._limits.memory_bytes, MOST_BYTES)
            try:
                async with self._sandbox.task(task.__name__, source, options, bounds) as drawing:
                    async for _ in drawing.lines():
                        pass
                    facts, png = await asyncio.to_thread(_read, drawing.folder)
            except ParseFailed as failure:
                if failure.code == "timeout" and left < seconds * (1 - FETCH_SHARE):
                    raise OriginalTooSlow(page.number, seconds) from None
                raise PageNotDrawable(page.number, failure, seconds) from None
            except ForkServerLost:
                raise PictureBrokenOff from None
        if png is None:
            raise PageNotFound(page.document_id, page.number, facts["pages"])
        return PagePicture(png, facts["boxes"])

    @asynccontextmanager
    async def _options(self, page: PageRequest) -> AsyncIterator[dict[str, Any]]:
        """What the child is told; the files of the text are there while the block lasts."""
        part = page.part
        spans = [] if part is None else [(start - part.start, end - part.start) for start, end in page.spans]
        options: dict[str, Any] = {"page": page.number, "spans": spans}
        if part is None or not spans:
            yield options
            return
        async with self._blobs.local(part.text_key) as text, self._blobs.local(part.structure_key) as structure:
            yield {**options, "text": str(text), "structure": str(structure)}


def _read(folder: Path) -> tuple[dict[str, Any], bytes | None]:
    picture = folder / task.PICTURE
    facts = json.loads(take_file(folder / task.FACTS, MOST_FACTS_BYTES, "facts about the picture"))
    return facts, take_file(picture, MOST_BYTES, "picture") if picture.exists() else None
