"""Archives of documents that are as long as they may be, and archives that only look like one."""

from __future__ import annotations

import io
import struct
import tempfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from services.ingest.tests.export.manifests import new_manifest

from contracts.retrieval.chunks import ChunkEmbeddings
from extraction.chunking.chunker import Chunk
from extraction.model.document import Extracted
from extraction.model.failures import ParseFailed
from ingest.export import archive as archives
from ingest.export import exporter
from ingest.export.archive import Archive, ArchivedPart, PartFiles
from ingest.parts.files import Part, dump
from ingest.testing.index import MemoryIndex

PARTS, CHUNKS = 40, 500
SEALED = "model " + "A" * 2048
ALL_EMBEDDINGS = PARTS * CHUNKS * len(SEALED)
MOST = 1 << 30


class LongIndex(MemoryIndex):
    """Has as many embeddings as are asked for."""

    async def get_embeddings(
        self, token: str, collection: str, document_id: str, revision: int, first: int, limit: int
    ) -> ChunkEmbeddings:
        count = min(limit, PARTS * CHUNKS - first)
        return ChunkEmbeddings(
            revision=revision, first=first, embeddings=[f"{SEALED}{first + at:08}" for at in range(count)]
        )


@contextmanager
def _at_most(most: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most


def _parts() -> list[Part]:
    return [
        Part(at, "t", "s", at * (2 * CHUNKS + 2), 2 * CHUNKS, at * CHUNKS, CHUNKS, None, (at + 1) / PARTS)
        for at in range(PARTS)
    ]


async def test_however_long_a_document_its_embeddings_are_never_all_in_memory(tmp_path: Path) -> None:
    text = "w " * CHUNKS
    files = PartFiles(tmp_path / "text", tmp_path / "structure")
    files.text.write_text(text)
    files.structure.write_bytes(
        dump(Extracted(text, ()), [Chunk(2 * at, 2 * at + 1, None, (), "") for at in range(CHUNKS)])
    )
    original = tmp_path / "original"
    original.write_bytes(b"%PDF")
    manifest = new_manifest(b"%PDF", [ArchivedPart(**archives.archived(part).model_dump()) for part in _parts()])
    about = ("c", "d", 1)
    with (tmp_path / "archive.zip").open("w+b") as file, _at_most(ALL_EMBEDDINGS // 4):
        with tempfile.SpooledTemporaryFile(exporter.IN_MEMORY) as lines:
            assert await exporter.write_embeddings(LongIndex(), "token", about, _parts(), lines)
            archives.write(file, manifest, original, [files] * PARTS, lines)
        read = Archive(file, MOST, MOST)
        with read.encoded() as encoded:
            for number in range(PARTS):
                read.part(number)
                taken = list(encoded.take(CHUNKS))
                assert (len(taken), taken[0]) == (CHUNKS, f'"{SEALED}{number * CHUNKS:08}"'.encode())


def _with_table(entries: int) -> bytes:
    """A ZIP whose table names one member so many times."""
    member = io.BytesIO()
    with zipfile.ZipFile(member, "w") as archive:
        archive.writestr("document.json", "{}")
    whole = member.getvalue()
    end = whole.rindex(b"PK\x05\x06")
    start = struct.unpack("<I", whole[end + 16 : end + 20])[0]
    row = whole[start:end]
    count = min(entries, 0xFFFF)
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, entries * len(row), start, 0)
    return whole[:start] + row * entries + tail


def test_a_table_of_a_million_members_is_refused_before_it_is_read() -> None:
    file = io.BytesIO(_with_table(1_000_000))
    with _at_most(archives.MAX_TABLE_BYTES), pytest.raises(ParseFailed, match="not a whole ZIP"):
        Archive(file, MOST, MOST)


def test_a_plan_that_would_fill_the_memory_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    files = PartFiles(tmp_path / "text", tmp_path / "structure")
    files.text.write_text("w")
    files.structure.write_bytes(b"[" + b"[]," * 4_000_000 + b"[]]")
    original = tmp_path / "original"
    original.write_bytes(b"")
    part = ArchivedPart(start=0, chars=1, first_chunk=0, chunks=1, done=1)
    manifest = new_manifest(b"", [part])
    with (tmp_path / "archive.zip").open("w+b") as file:
        archives.write(file, manifest, original, [files], None)
        size = files.structure.stat().st_size
        with _at_most(3 * size), pytest.raises(ParseFailed):
            Archive(file, MOST, MOST).part(0)


def test_an_endless_embedding_is_refused(tmp_path: Path) -> None:
    lines = io.BytesIO(b"x" * (archives.MAX_ENCODED_BYTES + 1))
    with pytest.raises(ParseFailed, match="too long"):
        list(archives.EncodedEmbeddings(lines).take(1))
