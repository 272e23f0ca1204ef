from __future__ import annotations

from contracts.retrieval.chunks import ChunkInput, DocumentFacts
from contracts.retrieval.search import Scores
from retriever.stores.points import (
    RevisionKey,
    StoredPoint,
    content_hash,
    facts_and_chunk,
    make_chunk,
    make_hit,
    make_point,
    number_fields,
)


def test_a_chunk_has_an_id_of_its_own_in_every_collection_revision_and_place() -> None:
    keys = [RevisionKey("c", "d", 1), RevisionKey("c", "d", 2), RevisionKey("c", "e", 1), RevisionKey("x", "d", 1)]
    assert len({key.chunk_id(at) for key in keys for at in range(3)}) == 12
    assert keys[0].chunk_id(0) == RevisionKey("c", "d", 1).chunk_id(0)


def test_equal_words_have_equal_hashes_wherever_they_stand() -> None:
    first, moved = ChunkInput(ordinal=0, text="a", start=0, end=1), ChunkInput(ordinal=7, text="a", start=9, end=10)
    assert content_hash(first) == content_hash(moved)
    assert content_hash(first) != content_hash(first.model_copy(update={"header": "a", "text": ""}))


def test_a_point_can_be_made_again_from_what_is_stored() -> None:
    facts = DocumentFacts(title="T", source="s", media_type="text/plain", metadata={"n": 1, "x": {"y": [2.5]}})
    chunk = ChunkInput(ordinal=3, text="The lantern", header="On light", start=5, end=16, page=2, heading_path=["A"])
    key = RevisionKey("col_1", "d", 4)
    point = make_point(key, facts, chunk, [1.0, 0.0])
    stored = StoredPoint(point.id, point.payload)
    assert facts_and_chunk(stored) == (facts, chunk)
    assert number_fields([point]) == {'metadata."n"', 'metadata."x"."y"'}
    hit = make_hit("handbook", stored, 0.5, Scores(dense=0.5))
    assert (hit.chunk_id, hit.text, hit.page, hit.revision) == (key.chunk_id(3), "The lantern", 2, 4)
    listed = make_chunk(stored)
    assert (listed.chunk_id, listed.ordinal, listed.heading_path) == (point.id, 3, ["A"])
