"""Ingest's own client against the whole retriever over HTTP, with inference behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.retriever.service import Tokens, hashed_inference, served

from contracts.retrieval.chunks import ChunkBatch, ChunkInput, CommitRequest, DocumentFacts
from contracts.retrieval.collections import Chunking, CollectionChange, CollectionCreate, ModelBinding
from contracts.retrieval.reindex import ReindexRequest, ShadowRequest
from ingest.peers.retriever import RetrieverIndex
from retriever.bootstrap import create_app
from retriever.models.protocol import EmbeddingModel
from retriever.settings import RetrieverSettings
from retriever.testing.hashed_embedder import HashedEmbedder
from servicekit.core.errors import PeerError
from servicekit.peers.client import Peer, open_session

FACTS = DocumentFacts(title="Handbook", source="handbook.md", media_type="text/markdown")


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path)


@pytest.fixture
async def index(tmp_path: Path, tokens: Tokens) -> AsyncIterator[RetrieverIndex]:
    with served(hashed_inference(HashedEmbedder(more=[EmbeddingModel("other", 32, 256)]))) as inference:
        settings = RetrieverSettings(
            data_dir=tmp_path / "data",
            inference_url=inference,
            gateway_url=inference,
            delegation_public_key_file=tokens.key_file,
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
    assert (await index.bind_collection(token, "handbook", ModelBinding(text="Der Text."))).embedding_model == "hashed"
    changed = await index.update_collection(token, "handbook", CollectionChange(rerank=True))
    assert (changed.rerank, changed.revision) == (True, made.revision + 1)
    named = await index.update_collection(token, "handbook", CollectionChange(rerank_model="reader+handbook"))
    assert (named.rerank, named.rerank_model) == (True, "reader+handbook")
    back = await index.update_collection(token, "handbook", CollectionChange(rerank_model="default"))
    assert (back.rerank, back.rerank_model) == (True, None)
    texts = [f"Paragraph {at} of the handbook." for at in range(100)]
    indexed = await index.put_chunks(token, "handbook", "d", 1, _batch(texts), 1)
    assert (indexed.embedded, indexed.reused) == (100, 0)
    committed = await index.commit(token, "handbook", "d", 1, CommitRequest(document=FACTS, chunks=100), 1)
    assert committed.collection_revision == (await index.get_collection(token, "handbook")).revision
    page = await index.list_chunks(token, "handbook", "d", 60, None)
    rest = await index.list_chunks(token, "handbook", "d", 60, page.next_cursor)
    assert [chunk.text for chunk in (*page.data, *rest.data)] == texts
    again = await index.put_chunks(token, "handbook", "d", 2, _batch(["New.", *texts]), 1)
    assert (again.embedded, again.reused) == (1, 100)
    await index.delete_document(token, "handbook", "d", 2)
    with pytest.raises(PeerError) as late:
        await index.put_chunks(token, "handbook", "d", 2, _batch(texts), 1)
    assert (late.value.http_status, late.value.code) == (409, "stale_revision")
    assert [each.name for each in (await index.list_collections(token, 10, None)).data] == ["handbook"]
    await index.delete_collection(token, "handbook")
    await index.delete_collection(token, "handbook")
    assert (await index.list_collections(token, 10, None)).data == []


async def test_a_small_document_is_written_and_committed_in_one_call_that_may_be_repeated(
    index: RetrieverIndex, tokens: Tokens
) -> None:
    token, texts = tokens.token(), ["The first paragraph.", "The second one."]
    made = await index.create_collection(token, CollectionCreate(name="handbook"))
    first = await index.put_whole(token, "handbook", "d", 1, _batch(texts), 1)
    assert (first.embedded, first.committed and first.committed.chunks) == (2, 2)
    assert first.committed is not None
    assert made.revision < first.committed.collection_revision
    page = await index.list_chunks(token, "handbook", "d", 60, None)
    assert [(chunk.text, chunk.revision) for chunk in page.data] == [(text, 1) for text in texts]
    again = await index.put_whole(token, "handbook", "d", 1, _batch(texts), 1)
    assert (again.embedded, again.embedding_tokens, again.committed and again.committed.chunks) == (0, 0, 2)
    with pytest.raises(PeerError) as other:
        await index.put_whole(token, "handbook", "d", 1, _batch([*texts, "A third."]), 1)
    assert other.value.code == "stale_revision"
    await index.put_whole(token, "handbook", "d", 3, _batch(texts), 1)
    for revision in (2, 3):
        await index.delete_document(token, "handbook", "d", revision)
    with pytest.raises(PeerError) as late:
        await index.put_whole(token, "handbook", "d", 3, _batch(texts), 1)
    assert (late.value.http_status, late.value.code) == (409, "stale_revision")
    with pytest.raises(PeerError) as gone:
        await index.put_whole(token, "handbook", "e", 1, _batch(texts), 7)
    assert gone.value.code == "layout_gone"


async def test_where_a_small_document_can_not_be_committed_its_batch_is_answered_alone(
    index: RetrieverIndex, tokens: Tokens
) -> None:
    token = tokens.token()
    await index.create_collection(token, CollectionCreate(name="handbook"))
    half = _batch(["The first paragraph.", "The second one."])
    half.chunks[1].ordinal = 5
    indexed = await index.put_whole(token, "handbook", "d", 1, half, 1)
    assert (indexed.embedded, indexed.committed) == (2, None)
    with pytest.raises(PeerError) as why:
        await index.commit(token, "handbook", "d", 1, CommitRequest(document=FACTS, chunks=2), 1)
    assert why.value.code == "chunks_missing"


async def _filled(index: RetrieverIndex, token: str, texts: list[str]) -> None:
    await index.create_collection(token, CollectionCreate(name="handbook"))
    await index.put_chunks(token, "handbook", "d", 1, _batch(texts), 1)
    await index.commit(token, "handbook", "d", 1, CommitRequest(document=FACTS, chunks=len(texts)), 1)


async def test_ingest_drives_a_reindex_to_another_model(index: RetrieverIndex, tokens: Tokens) -> None:
    token, texts = tokens.token(), [f"Paragraph {at} of the handbook." for at in range(300)]
    await _filled(index, token, texts)
    wanted = ReindexRequest(embedding_model="other")
    assert not (await index.plan_shadow(token, "handbook", wanted)).recut
    shadow = await index.begin_shadow(token, "handbook", ShadowRequest(key="job.1", wanted=wanted))
    building = (await index.get_collection(token, "handbook")).index
    assert (building.state, building.shadow and building.shadow.embedding_model) == ("building", "other")
    assert (await index.flip_shadow(token, "handbook", shadow.generation)).left == 1
    while (shadow := await index.copy_shadow(token, "handbook", shadow.generation)).left:
        assert 0 < shadow.progress < 1
    assert (await index.flip_shadow(token, "handbook", shadow.generation)).state == "active"
    after = await index.get_collection(token, "handbook")
    assert (after.embedding_model, after.dimensions, after.index.state, after.chunks) == ("other", 32, "green", 300)
    await index.abandon_shadow(token, "handbook", "job.1")
    assert (await index.begin_shadow(token, "handbook", ShadowRequest(key="job.1", wanted=wanted))).state == "active"


async def test_ingest_drives_a_reindex_to_other_chunks(index: RetrieverIndex, tokens: Tokens) -> None:
    token = tokens.token()
    await _filled(index, token, ["One and two.", "Three."])
    wanted = ReindexRequest(chunking=Chunking(strategy="sentence"))
    shadow = await index.begin_shadow(token, "handbook", ShadowRequest(key="job.1", wanted=wanted))
    shadow = await index.copy_shadow(token, "handbook", shadow.generation)
    assert [(each.document_id, each.revision) for each in shadow.wanted] == [("d", 1)]
    staged = await index.stage_chunks(
        token, "handbook", shadow.generation, "d", 1, _batch(["One", "and two.", "Three."])
    )
    assert (staged.embedded, staged.reused) == (2, 1)
    await index.stage_commit(token, "handbook", shadow.generation, "d", 1, CommitRequest(document=FACTS, chunks=3))
    assert (await index.flip_shadow(token, "handbook", shadow.generation)).state == "active"
    layout = (await index.get_collection(token, "handbook")).index.layout
    with pytest.raises(PeerError) as gone:
        await index.put_chunks(token, "handbook", "e", 1, _batch(["Old cut."]), 1)
    assert (gone.value.http_status, gone.value.code) == (409, "layout_gone")
    await index.put_chunks(token, "handbook", "e", 1, _batch(["New cut."]), layout)


async def test_what_can_not_be_reindexed_is_refused_by_name(index: RetrieverIndex, tokens: Tokens) -> None:
    token = tokens.token()
    await _filled(index, token, ["One."])
    refused = {
        "embedding_model_unknown": ReindexRequest(embedding_model="nope"),
        "nothing_to_change": ReindexRequest(embedding_model="hashed", chunking=Chunking()),
    }
    for code, wanted in refused.items():
        with pytest.raises(PeerError) as caught:
            await index.plan_shadow(token, "handbook", wanted)
        assert (caught.value.http_status, caught.value.code) == (400, code)
    with pytest.raises(PeerError) as missing:
        await index.plan_shadow(token, "nowhere", ReindexRequest(embedding_model="other"))
    assert (missing.value.http_status, missing.value.code) == (404, "collection_not_found")
    await index.abandon_shadow(token, "nowhere", "job.1")
    shadow = await index.begin_shadow(
        token, "handbook", ShadowRequest(key="job.1", wanted=ReindexRequest(embedding_model="other"))
    )
    await index.abandon_shadow(token, "handbook", "job.1")
    with pytest.raises(PeerError) as gone:
        await index.stage_chunks(token, "handbook", shadow.generation, "d", 1, _batch(["One."]))
    assert (gone.value.http_status, gone.value.code) == (409, "shadow_gone")
