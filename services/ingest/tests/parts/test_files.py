"""Long documents in parts: what is cut from parts is what the whole document's text says, wherever reading resumed."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.collections import Chunking
from contracts.indexing import ChunkInput
from extraction.chunking.chunker import Cutter
from extraction.chunking.tokens import Tokens
from extraction.formats import registry as formats
from extraction.model.document import PART_JOINT, Builder, Extracted, Resume
from extraction.model.parts import joined, split
from extraction.sandbox.extractor import ParsingProcess
from ingest.blobs.references import sweep
from ingest.parts.files import NOTHING, Part, as_inputs

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service


@st.composite
def built(draw: st.DrawFn) -> Extracted:
    builder = Builder()
    for _ in range(draw(st.integers(1, 12))):
        if draw(st.booleans()):
            builder.heading(draw(st.text("abc ", min_size=1, max_size=20)), draw(st.integers(1, 3)))
        builder.block("paragraph", draw(st.text("abc. é漢\n", min_size=1, max_size=200)))
    return builder.finish()


@given(document=built(), chars=st.integers(1, 300))
def test_a_document_is_its_parts_joined(document: Extracted, chars: int) -> None:
    parts = list(split(document, chars))
    again = joined(parts)
    assert (again.text, again.blocks) == (document.text, document.blocks)
    assert [part.done for part in parts] == sorted({part.done for part in parts})
    assert parts[-1].done == 1.0


@given(document=built(), chars=st.integers(1, 300))
def test_chunks_of_parts_are_slices_of_the_whole_in_order_and_cover_it(
    document: Extracted, chars: int, tokens: Tokens
) -> None:
    cutter = Cutter(tokens, Chunking(max_tokens=16), 64)
    last, texts, sent = NOTHING, [], []
    for extracted in split(document, chars):
        chunks = cutter.cut(extracted, "title")
        size = (len(extracted.text), last.next_chunk, len(chunks))
        last = Part(last.number + 1, "", "", last.next_start, *size, None, extracted.done)
        sent += as_inputs(last, extracted.text, chunks, last.first_chunk, last.next_chunk)
        texts += [extracted.text] if extracted.text else []
    text = PART_JOINT.join(texts)
    assert text == document.text
    assert [chunk.ordinal for chunk in sent] == list(range(len(sent)))
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in sent)
    missing = set(range(len(text))).difference(*(range(chunk.start, chunk.end) for chunk in sent))
    assert all(text[place].isspace() for place in missing)


PAGES = 10


def paged(path: Path, media_type: str, limits: formats.Limits, resume: Resume = formats.START) -> list[Extracted]:
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
        self: ParsingProcess, source: Path, media_type: str, resume: Resume = formats.START
    ) -> AsyncGenerator[Extracted, None]:
        began.append(resume)
        for part in paged(source, media_type, self.limits, resume):
            yield part

    monkeypatch.setattr(ParsingProcess, "parts", parts)
    return began


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
    await service.api.deletions.document(service.mandate(), "token", "handbook", "a")
    assert service.blobs._blobs == {}
    assert len(read_pages) == 1


def _cut(chunk: ChunkInput) -> tuple[object, ...]:
    return chunk.ordinal, chunk.text, chunk.start, chunk.end, chunk.page, chunk.heading_path, chunk.header


async def test_a_sweep_removes_what_nobody_names_and_nothing_else(service: Service) -> None:
    await service.upload("the word", document_id="a")
    await service.work_all()
    named = dict(service.blobs._blobs)
    await service.blobs.put(f"acme/{'0' * 64}", io.BytesIO(b"whoever put this was killed"))
    assert await sweep(service.database, service.blobs, 3600) == 1
    assert service.blobs._blobs == named


def ledger_of_a_machine(rows: int) -> Extracted:
    builder = Builder()
    builder.heading("Spares", 1)
    builder.block("paragraph", "What is in stock.")
    builder.rows([["Part", "Price"], *[[f"part {number}", f"EUR {number}"] for number in range(rows)]])
    builder.block("paragraph", "Prices are those of the spring.")
    return builder.finish()


def test_a_long_table_comes_in_parts_of_whole_rows_under_its_first_row(tokens: Tokens) -> None:
    """Chunks at the seams of parts are others than those of earlier versions, which had such a table in one part."""
    document = ledger_of_a_machine(2000)
    parts = list(split(document, 4000))
    assert max(len(part.text) for part in parts) <= 4000
    lines = [line for part in parts for line in part.text.split("\n") if line]
    assert lines == [line for line in document.text.split("\n") if line]
    assert [part.done for part in parts] == sorted({part.done for part in parts})
    cutter = Cutter(tokens, Chunking(max_tokens=64), 128)
    headers = [
        (chunk.header, part.text[chunk.start : chunk.end]) for part in parts for chunk in cutter.cut(part, "Spares")
    ]
    in_table = [above for above, text in headers if text.startswith("part ")]
    assert len(in_table) > len(parts) > 9
    assert set(in_table) == {"Spares\nPart | Price"}


def test_a_row_longer_than_a_part_is_a_part() -> None:
    builder = Builder()
    builder.rows([["head", "row"], ["x" * 5000, "1"], ["a", "2"]])
    parts = list(split(builder.finish(), 1000))
    assert [len(part.text) > 1000 for part in parts] == [False, True, False]
    assert [part.row for part in parts] == [None, "head | row", "head | row"]


def test_parts_kept_by_earlier_versions_can_be_read(tokens: Tokens) -> None:
    saved = ledger_of_a_machine(3).to_json()
    del saved["row"]
    assert Extracted.from_json("text", saved).row is None
