from __future__ import annotations

import pytest
from services.retriever.tests.conftest import TENANT, TEXTS, Bench, chunk

from contracts.retrieval.chunks import ChunkEmbeddings, ChunkInput
from retriever.errors import DocumentNotFound
from retriever.models.vector_codec import encode_embedding
from retriever.stores.points import RevisionKey


async def test_unchanged_chunks_keep_their_vectors_wherever_they_moved(bench: Bench) -> None:
    record = await bench.create()
    first = await bench.put(record, "d", 1, TEXTS)
    assert (first.embedded, first.reused) == (3, 0)
    assert first.embedding_tokens > 0
    await bench.commit(record, "d", 1, 3)
    bench.embedder.embedded.clear()
    second = await bench.put(record, "d", 2, [TEXTS[2], "A new paragraph.", TEXTS[0]])
    assert (second.embedded, second.reused) == (1, 2)
    assert bench.embedder.embedded == ["A new paragraph."]
    assert (await bench.commit(record, "d", 2, 3)).stale_deleted == 3
    (hit,) = (await bench.search("lantern oil", limit=1, mode="dense")).hits
    assert (hit.text, hit.revision) == (TEXTS[0], 2)


async def test_the_header_is_part_of_what_is_embedded(bench: Bench) -> None:
    record = await bench.create()
    await bench.put(record, "d", 1, [chunk(0, "Same text.", header="One")])
    again = await bench.put(record, "d", 2, [chunk(0, "Same text.", header="Two")])
    assert (again.embedded, bench.embedder.embedded) == (1, ["One\nSame text.", "Two\nSame text."])
    await bench.commit(record, "d", 2, 1)
    (hit,) = (await bench.search("Two", limit=1)).hits
    assert hit.text == "Same text."


async def test_the_same_text_twice_in_a_batch_is_embedded_once(bench: Bench) -> None:
    record = await bench.create()
    assert (await bench.put(record, "d", 1, ["Twice.", "Twice."])).embedded == 1
    assert bench.embedder.embedded == ["Twice."]


async def test_texts_are_embedded_in_calls_of_bounded_size(bench: Bench) -> None:
    record = await bench.create()
    made = await bench.put(record, "d", 1, [f"Paragraph number {at} of many." for at in range(150)])
    assert (made.embedded, len(bench.embedder.embedded)) == (150, 150)


async def _given_out(bench: Bench, collection: str) -> tuple[list[ChunkInput], ChunkEmbeddings]:
    record = await bench.create(collection)
    chunks = [chunk(at, f"Paragraph {at} on lanterns.") for at in range(5)]
    await bench.put(record, "d", 3, chunks)
    await bench.commit(record, "d", 3, 5)
    key = RevisionKey(record.id, "d", 3)
    first = await bench.parts.indexing.list_embeddings(record, key, 0, 3)
    rest = await bench.parts.indexing.list_embeddings(record, key, 3, 500)
    assert (first.first, len(first.embeddings), rest.first, len(rest.embeddings)) == (0, 3, 3, 2)
    return chunks, first.model_copy(update={"embeddings": first.embeddings + rest.embeddings})


async def test_chunks_that_bring_their_embeddings_are_not_embedded(bench: Bench) -> None:
    chunks, given = await _given_out(bench, "handbook")
    bench.embedder.embedded.clear()
    copy = await bench.create("copy")
    encoded = [one.model_copy(update={"embedding": value}) for one, value in zip(chunks, given.embeddings, strict=True)]
    made = await bench.put(copy, "d", 3, encoded)
    assert (made.embedded, made.reused, bench.embedder.embedded) == (0, 5, [])
    await bench.commit(copy, "d", 3, 5)
    before = await bench.search("paragraph 2 lanterns", mode="dense", limit=5)
    bench.embedder.embedded.clear()
    after = await bench.search("paragraph 2 lanterns", ["copy"], mode="dense", limit=5)
    assert {(hit.text, hit.score) for hit in after.hits} == {(hit.text, hit.score) for hit in before.hits}


async def test_an_embedding_of_another_model_is_made_anew(bench: Bench) -> None:
    record = await bench.create()
    foreign = chunk(0, "Lanterns.").model_copy(update={"embedding": encode_embedding("another", [1.0] + [0.0] * 63)})
    assert (await bench.put(record, "d", 1, [foreign])).embedded == 1


async def test_only_the_active_revision_gives_its_embeddings_out(bench: Bench) -> None:
    await _given_out(bench, "handbook")
    record = await bench.parts.collection_repository.get_collection(TENANT, "handbook")
    for key in (RevisionKey(record.id, "d", 2), RevisionKey(record.id, "unknown", 1)):
        with pytest.raises(DocumentNotFound):
            await bench.parts.indexing.list_embeddings(record, key, 0, 10)
