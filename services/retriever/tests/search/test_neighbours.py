from __future__ import annotations

from services.retriever.tests.conftest import Bench, chunk

from contracts.retrieval.search import Hit

TEXTS = ["zero", "one", "two", "the lantern", "four", "five", "six", "seven"]


async def _fill(bench: Bench, document: str = "d", texts: list[str] = TEXTS) -> None:
    record = await bench.parts.collection_repository.get_collection("acme", "handbook")
    await bench.put(record, document, 1, [chunk(at, text, page=at + 1) for at, text in enumerate(texts)])
    await bench.commit(record, document, 1, len(texts))


def _texts(hit: Hit) -> list[str]:
    return [near.text for near in hit.neighbours]


async def test_a_hit_comes_with_the_chunks_before_and_after_it(bench: Bench) -> None:
    await bench.create()
    await _fill(bench)
    (hit,) = (await bench.search("lantern", mode="sparse", neighbours=2)).hits
    assert (hit.text, _texts(hit)) == ("the lantern", ["one", "two", "four", "five"])
    near = hit.neighbours[0]
    assert (near.start, near.end, near.page) == (100, 103, 2)
    assert near.chunk_id != hit.chunk_id
    (plain,) = (await bench.search("lantern", mode="sparse")).hits
    assert plain == hit.model_copy(update={"neighbours": []})


async def test_at_the_ends_of_a_document_there_are_fewer(bench: Bench) -> None:
    await bench.create()
    await _fill(bench, "first", ["the lantern", "one", "two", "three", "four"])
    await _fill(bench, "last", ["zero", "one", "two", "three", "a lantern"])
    await _fill(bench, "only", ["lantern"])
    hits = (await bench.search("lantern", mode="sparse", neighbours=3)).hits
    assert {hit.document_id: _texts(hit) for hit in hits} == {
        "first": ["one", "two", "three"],
        "last": ["one", "two", "three"],
        "only": [],
    }


async def test_no_chunk_comes_twice(bench: Bench) -> None:
    await bench.create()
    await _fill(bench, texts=["zero", "lantern lantern lantern", "two", "the lantern", "four", "five"])
    hits = (await bench.search("lantern", mode="sparse", neighbours=2)).hits
    assert [(hit.text, _texts(hit)) for hit in hits] == [
        ("lantern lantern lantern", ["zero", "two"]),
        ("the lantern", ["four", "five"]),
    ]


async def test_neighbours_are_of_the_hits_own_collection_and_visible_revision(bench: Bench) -> None:
    await bench.create()
    other = await bench.create("other")
    await _fill(bench)
    await bench.index(other, "d", 1, ["apart", "a lantern", "far"])
    record = await bench.parts.collection_repository.get_collection("acme", "handbook")
    await bench.put(record, "d", 2, ["new zero", "new one", "new two", "the lantern, new"])
    hits = (await bench.search("lantern", ["handbook", "other"], mode="sparse", neighbours=1)).hits
    assert {hit.collection: _texts(hit) for hit in hits} == {"handbook": ["two", "four"], "other": ["apart", "far"]}


async def test_a_reranked_page_has_neighbours_too(bench: Bench) -> None:
    await bench.create()
    await _fill(bench)
    (hit,) = (await bench.search("lantern", mode="sparse", neighbours=1, rerank=True)).hits
    assert (hit.scores.rerank, _texts(hit)) == (1.0, ["two", "four"])


async def test_a_generation_that_is_dropped_meanwhile_leaves_the_hits(bench: Bench) -> None:
    record = await bench.create()
    await _fill(bench)

    async def drop_meanwhile() -> None:
        await bench.parts.store.delete_generation(record.vectors)

    bench.reranker.meanwhile = drop_meanwhile
    (hit,) = (await bench.search("lantern", mode="sparse", neighbours=1, rerank=True)).hits
    assert (hit.text, hit.neighbours) == ("the lantern", [])
