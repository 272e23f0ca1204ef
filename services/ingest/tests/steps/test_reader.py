"""Long documents in parts: pages can be found before the last are read, and reading resumes behind them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.retrieval.chunks import ChunkInput
from extraction.model.document import START, Builder, Extracted, Resume
from extraction.model.limits import Limits
from extraction.sandbox.extractor import SandboxedExtractor

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service


PAGES = 10


def paged(path: Path, media_type: str, limits: Limits, resume: Resume = START) -> list[Extracted]:
    """A document of ten pages, one a part; an empty one among them, as of a picture."""
    parts = []
    for page in range(resume.pages + 1, PAGES + 1):
        builder = Builder()
        if page != 4:
            builder.block("paragraph", f"Page {page}. " + "the word and the price " * 40, page)
        part = builder.finish("Book", PAGES)
        parts.append(Extracted(part.text, part.blocks, "Book", PAGES, page, page / PAGES, {"seen": page}))
    return parts


@pytest.fixture
def read_pages(monkeypatch: pytest.MonkeyPatch) -> list[Resume]:
    """Documents have ten pages; returns where each reading began."""
    began: list[Resume] = []

    async def parts(
        self: SandboxedExtractor, source: Path, media_type: str, resume: Resume = START
    ) -> AsyncGenerator[Extracted, None]:
        began.append(resume)
        for part in paged(source, media_type, self.limits, resume):
            yield part

    monkeypatch.setattr(SandboxedExtractor, "parts", parts)
    return began


def _cut(chunk: ChunkInput) -> tuple[object, ...]:
    return chunk.ordinal, chunk.text, chunk.start, chunk.end, chunk.page, chunk.heading_path, chunk.header


async def test_pages_are_searchable_before_the_last_are_read_and_reading_resumes_behind_them(
    service: Service, monkeypatch: pytest.MonkeyPatch, read_pages: list[Resume]
) -> None:
    await service.upload("undisturbed", document_id="whole")
    await service.work_all()
    whole = [_cut(chunk) for chunk in service.index.found("handbook", "whole")]

    await service.upload("cut short", document_id="a")
    await service.work_until_killed(lambda batch: batch.chunks[-1].page == 6, monkeypatch)
    assert {chunk.page for chunk in service.index.found("handbook", "a")} >= {1, 2, 3, 5}
    arriving = await service.text("a")
    service.clock.advance(31)
    await service.work_all()
    resumed = read_pages[-1]
    assert 6 <= resumed.pages == resumed.parts < PAGES
    assert resumed.state == {"seen": resumed.pages}
    found = service.index.found("handbook", "a")
    assert [_cut(chunk) for chunk in found] == whole
    text = await service.text("a")
    assert text.startswith(arriving)
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in found)
    document = await service.document("a")
    assert (document["status"], document["pages"], document["title"]) == ("ready", PAGES, "Book")


async def test_blobs_of_all_parts_go_with_their_document(service: Service, read_pages: list[Resume]) -> None:
    await service.upload("ten pages", document_id="a")
    await service.work_all()
    assert len(service.blobs._blobs) > PAGES
    await service.api.deletions.delete_document(service.job_owner(), "token", "handbook", "a")
    assert service.blobs._blobs == {}
    assert len(read_pages) == 1
