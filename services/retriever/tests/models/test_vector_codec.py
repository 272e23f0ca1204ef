from __future__ import annotations

import math

import pytest
from services.retriever.tests.conftest import TENANT, Bench, chunk

from contracts.indexing import ChunkEmbeddings, ChunkInput
from retriever.errors import DocumentNotFound
from retriever.models.vector_codec import decode_embedding, encode_embedding
from retriever.stores.points import RevisionKey

UNIT = [0.6, 0.8, 0.0]


def test_what_is_sealed_is_unsealed_to_float32() -> None:
    again = decode_embedding(encode_embedding("a model", UNIT), "a model", 3)
    assert again is not None
    assert again == pytest.approx(UNIT, abs=1e-7)


@pytest.mark.parametrize(
    "encoded",
    [
        encode_embedding("another", UNIT),
        encode_embedding("mini", [0.6, 0.8]),
        encode_embedding("mini", [0.0, 0.0, 0.0]),
        encode_embedding("mini", [math.nan, 0.8, 0.6]),
        encode_embedding("mini", [math.inf, 0.0, 0.0]),
        "mini not-base64!",
        "mini AAAA",
        "mini ",
        "",
    ],
)
def test_what_cannot_be_used_is_no_vector(encoded: str) -> None:
    assert decode_embedding(encoded, "mini", 3) is None


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
