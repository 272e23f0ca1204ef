"""The retriever's part of a backup on the embedded engine: what was visible when it began, whatever happens while it is
read, and nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from contracts.retrieval.chunks import ChunkBatch, ChunkInput, CommitRequest, DocumentFacts
from contracts.retrieval.collections import CollectionCreate
from contracts.retrieval.reindex import ReindexRequest
from contracts.retrieval.search import SearchRequest
from retriever.backup.dump import BackupDump
from retriever.bootstrap import MIGRATIONS, assemble
from retriever.dependencies import Dependencies
from retriever.errors import BackupOvertaken
from retriever.restore import restore
from retriever.settings import RetrieverSettings
from retriever.stores.edge.store import EdgeStore
from retriever.stores.points import RevisionKey
from retriever.testing.hashed_embedder import HashedEmbedder
from retriever.testing.lexical_reranker import LexicalReranker
from servicekit.backup.file import BackupDamaged, BackupFile, about
from servicekit.backup.tables import NotEmpty
from servicekit.core.clock import SystemClock
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate

TENANT, TOKEN = "acme", "token"
FACTS = DocumentFacts(title="T", source="s", media_type="text/plain", metadata={"year": 2024})


@asynccontextmanager
async def retriever(folder: Path) -> AsyncIterator[Dependencies]:
    async with AsyncExitStack() as stack:
        store = EdgeStore(folder / "vectors")
        stack.push_async_callback(store.close)
        database = Database.open(None, folder, "retriever")
        stack.push_async_callback(database.close)
        await migrate(database, MIGRATIONS)
        yield assemble(RetrieverSettings(data_dir=folder), database, store, HashedEmbedder(), LexicalReranker())


async def index(parts: Dependencies, document: str, revision: int, words: str, *, commit: bool = True) -> None:
    record = await parts.collection_repository.get_collection(TENANT, "handbook")
    key = RevisionKey(record.id, document, revision)
    texts = [f"{words} number {number}." for number in range(150)]  # more than a page
    chunks = [ChunkInput(ordinal=at, text=text, start=0, end=len(text)) for at, text in enumerate(texts)]
    await parts.indexing.write_chunks(record, key, ChunkBatch(document=FACTS, chunks=chunks), TOKEN)
    if commit:
        await parts.indexing.commit_revision(record, key, CommitRequest(document=FACTS, chunks=len(chunks)))


async def remove(parts: Dependencies, document: str, revision: int) -> None:
    record = await parts.collection_repository.get_collection(TENANT, "handbook")
    await parts.indexing.delete_document(record, RevisionKey(record.id, document, revision))


async def found(parts: Dependencies, query: str, name: str = "handbook") -> list[tuple[Any, ...]]:
    request = SearchRequest(collections=[name], query=query, limit=10)
    hits = (await parts.search.search(TENANT, request, TOKEN)).hits
    return [(hit.document_id, hit.revision, hit.chunk_id, hit.text, round(hit.score, 3)) for hit in hits]


def backups(parts: Dependencies) -> BackupDump:
    return BackupDump(parts.database, parts.store, parts.collections)


def as_file(path: Path, pieces: list[bytes]) -> BackupFile:
    path.write_bytes(b"".join([*pieces, about("0", SystemClock().now(), ["retriever"])]))
    return BackupFile(path)


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Dependencies]:
    async with retriever(tmp_path / "first") as opened:
        await opened.collections.create_collection(TENANT, CollectionCreate(name="handbook"), TOKEN)
        await index(opened, "replaced", 1, "wombat")
        await index(opened, "deleted", 1, "zebra")
        await index(opened, "arriving", 1, "quokka", commit=False)
        yield opened


async def points(parts: Dependencies, document: str, revision: int) -> int:
    record = await parts.collection_repository.get_collection(TENANT, "handbook")
    ids = [RevisionKey(record.id, document, revision).chunk_id(number) for number in range(150)]
    return len(await parts.store.get_points(record.vectors, ids))


async def test_what_was_there_when_it_began_is_restored_and_what_changed_meanwhile_is_not(
    parts: Dependencies, tmp_path: Path
) -> None:
    before = {word: await found(parts, word) for word in ("wombat", "zebra", "quokka")}
    async with backups(parts).open() as pieces:
        first = [await anext(pieces)]
        await index(parts, "replaced", 2, "echidna")
        await remove(parts, "deleted", 1)
        await index(parts, "new", 1, "numbat")
        assert await points(parts, "deleted", 1) == 150, "what it has yet to read is held"
        rest = [piece async for piece in pieces]
    assert not await found(parts, "zebra") or "deleted" not in {hit[0] for hit in await found(parts, "zebra")}
    assert (await points(parts, "deleted", 1), await points(parts, "replaced", 1)) == (0, 0), "it goes afterwards"
    backup = as_file(tmp_path / "file", [*first, *rest])
    backup.check()
    settings = RetrieverSettings(data_dir=tmp_path / "second")
    await restore(settings, backup)
    async with retriever(tmp_path / "second") as second:
        assert {word: await found(second, word) for word in before} == before
        assert not {"new"} & {hit[0] for hit in await found(second, "numbat")}
        await index(second, "arriving", 1, "quokka")  # its job goes on
    with pytest.raises(NotEmpty):
        await restore(settings, backup)


async def test_a_shadow_that_was_being_built_is_not_restored_and_can_be_begun_again(
    parts: Dependencies, tmp_path: Path
) -> None:
    record = await parts.collection_repository.get_collection(TENANT, "handbook")
    wanted = ReindexRequest(language="de")
    await parts.reindex.create_shadow(record, "job-1", wanted, TOKEN)
    async with backups(parts).open() as pieces:
        backup = as_file(tmp_path / "file", [piece async for piece in pieces])
    await restore(RetrieverSettings(data_dir=tmp_path / "second"), backup)
    async with retriever(tmp_path / "second") as second:
        record = await second.collection_repository.get_collection(TENANT, "handbook")
        shadow = await second.reindex.create_shadow(record, "job-1", wanted, TOKEN)
        assert shadow.state == "building"
        while (await second.reindex.copy_chunks(record, shadow.generation, TOKEN)).left:
            pass
        assert (await second.reindex.flip_shadow(record, shadow.generation)).state == "active"
        assert await found(second, "wombat")


async def test_a_collection_that_is_removed_and_made_again_meanwhile_ends_the_backup_with_a_reason(
    parts: Dependencies,
) -> None:
    with pytest.raises(BackupOvertaken):
        async with backups(parts).open() as pieces:
            await anext(pieces)
            await parts.collections.delete_collection(TENANT, "handbook")
            await parts.collections.create_collection(TENANT, CollectionCreate(name="handbook"), TOKEN)
            async for _ in pieces:
                pass


async def test_a_collection_that_is_removed_meanwhile_is_in_the_backup_and_its_vectors_go_afterwards(
    parts: Dependencies, tmp_path: Path
) -> None:
    before = await found(parts, "wombat")
    async with backups(parts).open() as pieces:
        first = [await anext(pieces)]
        await parts.collections.delete_collection(TENANT, "handbook")
        rest = [piece async for piece in pieces]
    assert await parts.store.list_generations() == []
    await restore(RetrieverSettings(data_dir=tmp_path / "second"), as_file(tmp_path / "file", [*first, *rest]))
    async with retriever(tmp_path / "second") as second:
        assert await found(second, "wombat") == before


async def test_a_file_that_was_cut_off_or_changed_anywhere_is_refused(parts: Dependencies, tmp_path: Path) -> None:
    async with backups(parts).open() as pieces:
        whole = as_file(tmp_path / "file", [piece async for piece in pieces]).path.read_bytes()
    cut = [whole[: len(whole) * number // 12] for number in range(1, 12)]
    bent = whole.replace(b"wombat number 7", b"wombat number 8", 1)
    for damaged in (*cut, bent):
        (tmp_path / "damaged").write_bytes(damaged)
        with pytest.raises(BackupDamaged):
            BackupFile(tmp_path / "damaged").check()
