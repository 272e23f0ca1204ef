"""Ingest's own client against the whole retriever over HTTP, with inference behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.retriever import Tokens, hashed_inference, served

from contracts.collections import CollectionChange, CollectionCreate
from contracts.indexing import ChunkBatch, ChunkInput, CommitRequest, DocumentFacts
from ingest.adapters.retriever import RetrieverIndex
from retriever.adapters.hashed import HashedEmbedder
from retriever.bootstrap import create_app
from retriever.settings import RetrieverSettings
from servicekit.errors import PeerError
from servicekit.http import Peer, open_session

FACTS = DocumentFacts(title="Handbook", source="handbook.md", media_type="text/markdown")


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path)


@pytest.fixture
async def index(tmp_path: Path, tokens: Tokens) -> AsyncIterator[RetrieverIndex]:
    with served(hashed_inference(HashedEmbedder())) as inference:
        settings = RetrieverSettings(
            data_dir=tmp_path / "data", inference_url=inference, delegation_public_key_file=tokens.key_file
        )
        with served(create_app(settings)) as url:
            async with open_session() as session:
                yield RetrieverIndex(Peer("retriever", url, session), batch_seconds=60)


def _batch(texts: list[str]) -> ChunkBatch:
    chunks = [ChunkInput(ordinal=at, text=text, start=0, end=len(text)) for at, text in enumerate(texts)]
    return ChunkBatch(document=FACTS, chunks=chunks)


async def test_ingest_drives_the_retriever_through_its_client(index: RetrieverIndex, tokens: Tokens) -> None:
    token = tokens.token()
    await index.probe()
    made = await index.create_collection(token, CollectionCreate(name="handbook"))
    assert (made.embedding_model, made.dimensions, made.max_input_tokens) == ("hashed", 64, 256)
    changed = await index.change_collection(token, "handbook", CollectionChange(rerank=True))
    assert (changed.rerank, changed.revision) == (True, made.revision + 1)
    texts = [f"Paragraph {at} of the handbook." for at in range(100)]
    indexed = await index.put_chunks(token, "handbook", "d", 1, _batch(texts))
    assert (indexed.embedded, indexed.reused) == (100, 0)
    committed = await index.commit(token, "handbook", "d", 1, CommitRequest(document=FACTS, chunks=100))
    assert committed.collection_revision == (await index.collection(token, "handbook")).revision
    page = await index.chunks(token, "handbook", "d", 60, None)
    rest = await index.chunks(token, "handbook", "d", 60, page.next_cursor)
    assert [chunk.text for chunk in (*page.data, *rest.data)] == texts
    again = await index.put_chunks(token, "handbook", "d", 2, _batch(["New.", *texts]))
    assert (again.embedded, again.reused) == (1, 100)
    await index.delete_document(token, "handbook", "d", 2)
    with pytest.raises(PeerError) as late:
        await index.put_chunks(token, "handbook", "d", 2, _batch(texts))
    assert (late.value.http_status, late.value.code) == (409, "stale_revision")
    assert [each.name for each in (await index.collections(token, 10, None)).data] == ["handbook"]
    await index.delete_collection(token, "handbook")
    await index.delete_collection(token, "handbook")
    assert (await index.collections(token, 10, None)).data == []
