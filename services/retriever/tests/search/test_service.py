from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest
from services.retriever.tests.conftest import TENANT, Bench

from contracts.retrieval.collections import CollectionChange, CollectionCreate
from retriever.errors import CollectionNotFound
from retriever.models.protocol import EmbeddingModel
from servicekit.core.errors import Forbidden
from servicekit.peers.client import PeerUnreachable

WORDS = ["harbour", "lantern", "meadow", "copper", "violin", "glacier", "saffron", "turbine", "orchard", "pebble"]


async def _fill(bench: Bench, name: str = "handbook", documents: int = 12, seed: int = 0) -> None:
    record = await bench.create(name)
    chance = random.Random(seed)
    for at in range(documents):
        texts = [" ".join(chance.choices(WORDS, k=chance.randint(3, 25))) for _ in range(chance.randint(1, 14))]
        await bench.index(record, f"{name}-{at}", 1, texts, group=at % 3, team="hr" if at % 2 else "it")


async def test_a_hit_says_what_it_is_and_how_it_was_found(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, ["The lantern burns oil.", "Nothing of the kind."], team="hr")
    reply = await bench.search("lantern oil")
    hit = reply.hits[0]
    assert (hit.collection, hit.document_id, hit.revision) == ("handbook", "d", 1)
    assert (hit.title, hit.source, hit.text) == ("On d", "d.txt", "The lantern burns oil.")
    assert (hit.start, hit.end, hit.metadata) == (100, 122, {"team": "hr"})
    assert hit.score == hit.scores.fused == 1.0
    assert hit.scores.dense == pytest.approx(0.8, abs=0.2)
    assert hit.scores.sparse is not None
    assert reply.hits[1].scores.sparse is None
    assert (reply.usage.embedding_tokens, reply.usage.embedding_model) == (2, "hashed")
    assert set(reply.timings) == {"embed", "candidates", "fuse", "fetch", "total"}
    assert (reply.collection_revision, reply.collection_revisions) == (2, {"handbook": 2})


@pytest.mark.parametrize("mode", ["hybrid", "dense", "sparse"])
@pytest.mark.parametrize("group_by", [None, "document"])
async def test_pages_of_any_size_are_slices_of_one_ranking(bench: Bench, mode: str, group_by: str | None) -> None:
    await _fill(bench, documents=20)
    options = {"mode": mode, "group_by": group_by}
    whole = [hit.chunk_id for hit in (await bench.search("lantern harbour", limit=100, **options)).hits]
    for size in (1, 7, 40):
        pages = [
            [hit.chunk_id for hit in (await bench.search("lantern harbour", limit=size, offset=at, **options)).hits]
            for at in range(0, min(100, size * 8), size)
        ]
        paged = list(itertools.chain.from_iterable(pages))
        assert paged[: len(whole)] == whole[: len(paged)]
    assert len(set(whole)) == len(whole)


async def test_grouping_shows_each_document_once_by_its_best_chunk(bench: Bench) -> None:
    await _fill(bench)
    grouped = (await bench.search("lantern", group_by="document", limit=100, mode="dense")).hits
    assert len(grouped) == 12
    best: dict[str, float] = {}
    for hit in (await bench.search("lantern", limit=100, mode="dense")).hits:
        best.setdefault(hit.document_id, hit.score)
    assert {hit.document_id: hit.score for hit in grouped} | best == {hit.document_id: hit.score for hit in grouped}


@pytest.mark.parametrize("mode", ["hybrid", "dense", "sparse"])
async def test_a_least_score_cuts_the_ranking(bench: Bench, mode: str) -> None:
    await _fill(bench)
    every = (await bench.search("lantern copper", limit=100, mode=mode)).hits
    least = every[7].score
    cut = (await bench.search("lantern copper", limit=100, mode=mode, min_score=least)).hits
    assert [hit.chunk_id for hit in cut] == [hit.chunk_id for hit in every if hit.score >= least]
    assert (await bench.search("lantern copper", mode=mode, min_score=1000)).hits == []


@pytest.mark.parametrize("mode", ["hybrid", "dense", "sparse"])
async def test_filters_hold_in_every_mode(bench: Bench, mode: str) -> None:
    await _fill(bench)
    body = {
        "must": [{"key": "metadata.team", "match": "hr"}, {"key": "metadata.group", "range": {"gte": 1}}],
        "must_not": [{"key": "document_id", "match": ["handbook-1"]}],
    }
    hits = (await bench.search("lantern harbour meadow", mode=mode, limit=100, filter=body)).hits
    expected = {f"handbook-{at}" for at in range(12) if at % 2 and at % 3 >= 1} - {"handbook-1"}
    assert {hit.document_id for hit in hits} <= expected
    assert hits


async def test_several_collections_make_one_ranking_and_the_query_is_embedded_once(bench: Bench) -> None:
    await _fill(bench, "first", 5, seed=1)
    await _fill(bench, "second", 5, seed=2)
    bench.embedder.embedded.clear()
    reply = await bench.search("lantern harbour", ["first", "second", "first"], limit=50)
    assert bench.embedder.embedded == ["lantern harbour"]
    assert {hit.collection for hit in reply.hits} == {"first", "second"}
    scores = [hit.score for hit in reply.hits]
    assert scores == sorted(scores, reverse=True)
    assert len({hit.chunk_id for hit in reply.hits}) == len(reply.hits)
    assert reply.collection_revision == sum(reply.collection_revisions.values())
    assert set(reply.collection_revisions) == {"first", "second"}


async def test_many_hidden_points_do_not_crowd_out_what_is_visible(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, [f"lantern {word}" for word in WORDS])
    await bench.put(record, "d", 2, [f"lantern number {at}" for at in range(300)])
    for mode in ("hybrid", "dense", "sparse"):
        hits = (await bench.search("lantern", mode=mode, limit=10)).hits
        assert {hit.revision for hit in hits} == {1}
        assert len(hits) == 10


async def test_a_commit_during_a_search_leaves_neither_gap_nor_mixture(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, ["lantern one", "lantern two"])

    async def commit_meanwhile() -> None:
        bench.embedder.meanwhile = None
        await bench.index(record, "d", 2, ["lantern uno", "lantern dos"])

    bench.embedder.meanwhile = commit_meanwhile
    reply = await bench.search("lantern")
    assert {hit.text for hit in reply.hits} == {"lantern uno", "lantern dos"}
    assert reply.collection_revision == await bench.revision()


async def test_words_that_nobody_wrote_find_nothing_by_words(bench: Bench) -> None:
    await _fill(bench)
    for query in ("xylophone zebra", "🙂", "the of and", "...", "مرحبا"):
        assert (await bench.search(query, mode="sparse")).hits == []
        assert (await bench.search(query)).hits


async def test_without_inference_a_hybrid_search_goes_by_words_and_says_so(bench: Bench) -> None:
    await _fill(bench)
    sparse = await bench.search("lantern", mode="sparse")
    bench.embedder.failure = PeerUnreachable("inference")
    reply = await bench.search("lantern")
    assert reply.degraded == ["dense_unavailable"]
    assert [hit.chunk_id for hit in reply.hits] == [hit.chunk_id for hit in sparse.hits]
    assert (reply.usage.embedding_tokens, reply.usage.embedding_model) == (0, None)
    assert reply.hits[0].scores.fused is None
    assert reply.hits[0].score == 1.0
    best = sparse.hits[0].score
    assert [hit.score for hit in reply.hits] == pytest.approx([hit.score / best for hit in sparse.hits])
    least = reply.hits[1].score  # means the same as with vectors: a share of the best
    above = (await bench.search("lantern", min_score=least)).hits
    assert [hit.chunk_id for hit in above] == [hit.chunk_id for hit in reply.hits if hit.score >= least]
    with pytest.raises(PeerUnreachable):
        await bench.search("lantern", mode="dense")


async def test_a_refusal_by_inference_is_not_hidden(bench: Bench) -> None:
    await _fill(bench)
    bench.embedder.failure = Forbidden("This key may not use the model.")
    with pytest.raises(Forbidden):
        await bench.search("lantern")


async def test_a_search_by_words_needs_no_embedding(bench: Bench) -> None:
    await _fill(bench)
    bench.embedder.embedded.clear()
    assert (await bench.search("lantern", mode="sparse")).hits
    assert bench.embedder.embedded == []


async def test_an_unknown_collection_is_named(bench: Bench) -> None:
    await _fill(bench)
    with pytest.raises(CollectionNotFound, match="nowhere"):
        await bench.search("lantern", ["handbook", "nowhere"])


async def test_an_empty_collection_and_a_page_beyond_the_end_have_no_hits(bench: Bench) -> None:
    await bench.create("empty")
    assert (await bench.search("lantern", ["empty"])).hits == []
    await _fill(bench, documents=3)
    assert (await bench.search("lantern", offset=10_000)).hits == []


async def test_another_tenants_collection_of_the_same_name_stays_apart(bench: Bench) -> None:
    ours = await bench.create()
    theirs = await bench.create(tenant="globex")
    await bench.index(ours, "d", 1, ["lantern of ours"])
    await bench.index(theirs, "d", 1, ["lantern of theirs"])
    assert [hit.text for hit in (await bench.search("lantern", limit=50)).hits] == ["lantern of ours"]
    await bench.parts.collections.delete_collection("globex", "handbook")
    assert [hit.text for hit in (await bench.search("lantern", limit=50)).hits] == ["lantern of ours"]


async def test_a_collection_deleted_during_a_search_is_not_found(bench: Bench) -> None:
    await _fill(bench)

    async def delete_meanwhile() -> None:
        bench.embedder.meanwhile = None
        await bench.parts.collections.delete_collection(TENANT, "handbook")

    bench.embedder.meanwhile = delete_meanwhile
    with pytest.raises(CollectionNotFound):
        await bench.search("lantern")


async def test_a_collection_made_again_holds_nothing_of_the_old_one(bench: Bench) -> None:
    await _fill(bench)
    await bench.parts.collections.delete_collection(TENANT, "handbook")
    await bench.parts.collections.create_collection(TENANT, CollectionCreate(name="handbook"), "token")
    assert (await bench.search("lantern")).hits == []


class TestCompressedCosines:
    """With a model that gives unrelated texts a high cosine, as e5 does."""

    @pytest.fixture
    def more_models(self) -> Sequence[EmbeddingModel]:
        return (EmbeddingModel("narrow", 64, 256, unrelated_cosine=0.5),)

    async def test_a_hit_that_is_as_near_as_unrelated_texts_are_has_nothing_of_its_meaning(self, bench: Bench) -> None:
        wanted = CollectionCreate(name="handbook", embedding_model="narrow")
        await bench.parts.collections.create_collection(TENANT, wanted, "token")
        record = await bench.parts.collection_repository.get_collection(TENANT, "handbook")
        await bench.index(record, "d", 1, ["The lantern burns oil.", "Falcons nest on the tower."])
        hits = (await bench.search("lantern oil")).hits
        far = next(hit for hit in hits if hit.text.startswith("Falcons"))
        assert (far.scores.dense or 1) < 0.5
        assert (hits[0].score, far.score) == (1.0, 0.0)
        assert (await bench.search("lantern oil", mode="dense")).hits[0].score == hits[0].scores.dense


class TestSeveralModels:
    """With collections of different embedding models."""

    @pytest.fixture
    def more_models(self) -> Sequence[EmbeddingModel]:
        return (EmbeddingModel("narrow", 64, 256),)

    @pytest.fixture
    async def both(self, bench: Bench) -> Bench:
        await _fill(bench, "first", 2)
        wanted = CollectionCreate(name="second", embedding_model="narrow")
        await bench.parts.collections.create_collection(TENANT, wanted, "token")
        record = await bench.parts.collection_repository.get_collection(TENANT, "second")
        await bench.index(record, "d", 1, ["The lantern burns oil."])
        return bench

    async def test_the_usage_has_the_tokens_of_each(self, both: Bench) -> None:
        usage = (await both.search("lantern oil", ["first", "second"])).usage
        assert usage.embeddings == {"hashed": 2, "narrow": 2}
        assert (usage.embedding_tokens, usage.embedding_model) == (4, None)

    async def test_what_one_read_is_told_though_the_next_one_failed(self, both: Bench) -> None:
        both.embedder.broken["narrow"] = PeerUnreachable("inference")
        reply = await both.search("lantern oil", ["first", "second"])
        assert reply.degraded == ["dense_unavailable"]
        assert reply.usage.embeddings == {"hashed": 2}
        assert (reply.usage.embedding_tokens, reply.usage.embedding_model) == (2, "hashed")

    async def test_a_search_that_fails_says_what_one_read_before(self, both: Bench) -> None:
        both.embedder.broken["narrow"] = PeerUnreachable("inference")
        with pytest.raises(PeerUnreachable) as failed:
            await both.search("lantern oil", ["first", "second"], mode="dense")
        assert failed.value.body("req").model_dump()["usage"]["embeddings"] == {"hashed": 2}
        both.embedder.broken["hashed"] = PeerUnreachable("inference")
        with pytest.raises(PeerUnreachable) as failed:
            await both.search("lantern oil", ["first"], mode="dense")
        assert "usage" not in failed.value.body("req").model_dump()

    async def test_what_one_read_is_told_though_nothing_could_be_learnt_of_it(
        self, both: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fails(name: str, token: str) -> EmbeddingModel:
            raise PeerUnreachable("inference")

        monkeypatch.setattr(both.embedder, "get_model", fails)
        reply = await both.search("lantern oil", ["first"])
        assert reply.degraded == ["dense_unavailable"]
        assert reply.usage.embeddings == {"hashed": 2}


async def test_a_search_that_names_no_mode_looks_as_its_collection_says(bench: Bench) -> None:
    await _fill(bench)
    await _fill(bench, "other", seed=1)

    async def found(*collections: str, **options: str) -> list[tuple[bool, bool]]:
        reply = await bench.search("lantern copper", collections or ("handbook",), **options)
        return [(hit.scores.dense is not None, hit.scores.fused is not None) for hit in reply.hits]

    assert await found() == await found(mode="hybrid")
    change = CollectionChange(mode="sparse")
    changed = await bench.parts.collection_repository.update_collection(TENANT, "handbook", change)
    assert changed.mode == "sparse"
    assert await found() == await found(mode="sparse") != await found(mode="hybrid")
    assert await found("handbook", "other") == await found("handbook", "other", mode="hybrid"), "they differ"
    await bench.parts.collection_repository.update_collection(TENANT, "other", change)
    assert await found("handbook", "other") == await found("handbook", "other", mode="sparse")


@pytest.mark.parametrize(
    ("one", "other", "said"), [("never", "never", "never"), ("reader", "model", None), ("reader", None, None)]
)
async def test_a_search_says_who_decides_that_there_is_no_answer_where_its_collections_agree(
    bench: Bench, one: str, other: str | None, said: str | None
) -> None:
    await bench.create("one", abstain=one)
    await bench.create("other", abstain=other)
    assert (await bench.search("lantern", ["one", "other"])).abstain == said
    assert (await bench.search("lantern", ["one"])).abstain == one
