"""Search: the query embedded once a model, candidates of each collection, one ranking, the page's texts.

The ranking is exact however deep it is paged: lists are read deeper until nothing unseen can outrank the page (the
threshold algorithm of Fagin, Lotem and Naor, 2001). A change of a collection during the search runs it again, so that
readers see neither a gap nor a mixture of two revisions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from contracts.search import Hit, Scores, SearchReply, SearchRequest, SearchUsage
from retriever import filters, fusion, neighbours
from retriever.candidates import CandidateReader, Pool, Vectors
from retriever.catalogue import Catalogue, CollectionRecord
from retriever.errors import CollectionNotFound, EmbeddingMismatch, GenerationMissing
from retriever.fusion import Ranked
from retriever.metrics import EMBEDDING_TOKENS, SEARCH_RETRIES, SEARCH_SECONDS, SEARCHES
from retriever.points import make_hit
from retriever.ports import Embedder, VectorStore
from retriever.reranking import Reranking
from retriever.revisions import CollectionGone
from retriever.sparse import query_vector
from retriever.stages import Stages
from servicekit.errors import ServiceError

log = structlog.get_logger(__name__)
ATTEMPTS = 3
FLIPS = 3
"""Further attempts where a collection's generation was replaced."""
FIRST_DEPTH = 64
MAX_DEPTH = 4_096


@dataclass
class Query:
    """One search under way."""

    request: SearchRequest
    token: str
    where: filters.Where | None
    stages: Stages = field(default_factory=lambda: Stages(SEARCH_SECONDS))
    degraded: list[str] = field(default_factory=list)
    tokens: int = 0
    truncated: bool = False
    """Whether a model read only the beginning of the query. The words count whole in any case."""
    rerank_tokens: int = 0
    reranked: int = 0
    """How many of the first hits are to be reranked: as long as the page reaches into them, all of them."""
    dense: dict[str, list[float]] = field(default_factory=dict)
    """The query's vector by embedding model."""

    @property
    def wanted(self) -> int:
        """How much of the ranking must be exact."""
        return max(self.request.offset + self.request.limit, self.reranked)

    @property
    def first(self) -> int:
        """Where the part of the ranking begins that is needed."""
        return 0 if self.reranked else self.request.offset

    def vectors(self, record: CollectionRecord) -> Vectors:
        """The query as one collection is searched with it."""
        sparse = None if self.request.mode == "dense" else query_vector(self.request.query)
        return Vectors(self.dense.get(record.embedding_model), sparse)


class Searching:
    """Answers searches; holds no state between them."""

    def __init__(
        self,
        catalogue: Catalogue,
        reader: CandidateReader,
        store: VectorStore,
        embedder: Embedder,
        reranking: Reranking,
    ) -> None:
        self._catalogue = catalogue
        self._reader = reader
        self._store = store
        self._embedder = embedder
        self._reranking = reranking

    async def search(self, tenant: str, request: SearchRequest, token: str) -> SearchReply:
        """Hits in descending score.

        `score` is the fused score in [0, 1] of a hybrid search (1 would be best by meaning and by words), the cosine
        of a dense one, BM25 of a sparse one. Raises `CollectionNotFound`, and in dense mode what inference raised.
        """
        query = Query(request, token, filters.where(request.filter))
        try:
            reply = await self._search(tenant, query)
        except ServiceError:
            SEARCHES.labels(request.mode, "error").inc()
            raise
        outcome = "degraded" if reply.degraded else "ok" if reply.hits else "empty"
        SEARCHES.labels(request.mode, outcome).inc()
        return reply

    async def _search(self, tenant: str, query: Query) -> SearchReply:
        names = list(dict.fromkeys(query.request.collections))
        records: list[CollectionRecord] = []
        attempt = 0
        for _ in range(ATTEMPTS + FLIPS):
            attempt += 1
            records = await self._catalogue.get_many(tenant, names)
            query.reranked = self._to_rerank(query.request, records)
            await self._embed(query, records)
            try:
                ranked, current = await self._rank(query, records)
                hits = await self._hits(query, records, ranked)
            except CollectionGone:
                continue  # the next attempt says which one is not found
            except GenerationMissing:
                current_records = await self._catalogue.get_many(tenant, names)
                if [each.vectors for each in current_records] == [each.vectors for each in records]:
                    raise
                attempt -= 1  # a reindex has flipped: what this attempt read was on its way out
                continue
            if attempt >= ATTEMPTS or (current and len(hits) == len(ranked)):
                return self._reply(query, records, await self._page(query, records, hits))
            SEARCH_RETRIES.inc()
        raise CollectionNotFound(names[0])

    async def _embed(self, query: Query, records: Sequence[CollectionRecord]) -> None:
        """Embed the query once a model; a hybrid search does without where that fails."""
        if query.request.mode == "sparse":
            return
        dimensions = {record.embedding_model: record.dimensions for record in records}
        for model, length in dimensions.items():
            if model in query.dense or query.degraded:
                continue
            try:
                with query.stages.timed("embed"):
                    made = await self._embedder.embed(model, [query.request.query], "query", query.token)
            except ServiceError as error:
                if query.request.mode == "dense" or not _passing(error):
                    raise
                log.warning("searching by words alone", model=model, error=error.code)
                query.degraded.append("dense_unavailable")
                query.dense.clear()
                return
            if len(made.vectors[0]) != length:
                raise EmbeddingMismatch(model, length, len(made.vectors[0]))
            query.dense[model] = made.vectors[0]
            query.tokens += made.tokens
            query.truncated = query.truncated or made.truncated > 0
            EMBEDDING_TOKENS.labels("query").inc(made.tokens)

    async def _rank(self, query: Query, records: Sequence[CollectionRecord]) -> tuple[list[Ranked], bool]:
        """The page's part of the ranking, and whether nothing changed since the records were read."""
        depth = FIRST_DEPTH
        while depth < 2 * query.wanted:
            depth *= 2
        deepest = max(MAX_DEPTH, depth)
        while True:
            with query.stages.timed("candidates"):
                pools = await asyncio.gather(
                    *(self._reader.read(record, query.vectors(record), query.where, depth) for record in records)
                )
            with query.stages.timed("fuse"):
                ranked, threshold = _ranking(query, records, pools)
            found = len(ranked) >= query.wanted and ranked[query.wanted - 1].score > threshold
            if found or depth >= deepest or all(pool.exhausted for pool in pools):
                break
            if query.request.min_score is not None and threshold < query.request.min_score:
                break
            depth *= 2
        current = all(pool.collection_revision == record.revision for pool, record in zip(pools, records, strict=True))
        return ranked[query.first : query.wanted], current

    async def _hits(self, query: Query, records: Sequence[CollectionRecord], ranked: Sequence[Ranked]) -> list[Hit]:
        """The texts of a page; a point that is gone since it was found is left out."""
        with query.stages.timed("fetch"):
            fetched = await asyncio.gather(
                *(
                    self._store.fetch(record.vectors, [r.found.id for r in ranked if r.found.collection == record.name])
                    for record in records
                )
            )
        stored = {each: point for points in fetched for each, point in points.items()}
        fused = query.request.mode == "hybrid" and not query.degraded
        return [
            make_hit(
                each.found.collection,
                stored[each.found.id],
                each.score,
                Scores(dense=each.found.dense, sparse=each.found.sparse, fused=each.score if fused else None),
            )
            for each in ranked
            if each.found.id in stored
        ]

    def _to_rerank(self, request: SearchRequest, records: Sequence[CollectionRecord]) -> int:
        """How many hits to rerank: as the request says, else only if all its collections are set to it."""
        wanted = all(record.rerank for record in records) if request.rerank is None else request.rerank
        return self._reranking.depth if wanted and request.offset < self._reranking.depth else 0

    async def _page(self, query: Query, records: Sequence[CollectionRecord], hits: list[Hit]) -> list[Hit]:
        """The page of the hits, which begin at `query.first`; reranked if it reaches into what is to be."""
        if query.reranked:
            with query.stages.timed("rerank"):
                reordered = await self._reranking.reorder(query.request.query, hits, query.token)
            hits, query.rerank_tokens = reordered.hits, reordered.tokens
            if reordered.degraded:
                query.degraded.append(reordered.degraded)
        start = query.request.offset - query.first
        page = hits[start : start + query.request.limit]
        if not query.request.neighbours:
            return page
        with query.stages.timed("neighbours"):
            return await neighbours.attach(self._store, records, page, query.request.neighbours)

    def _reply(self, query: Query, records: Sequence[CollectionRecord], hits: list[Hit]) -> SearchReply:
        if query.truncated and query.dense:
            query.degraded.append("query_truncated")
        models = list(query.dense)
        return SearchReply(
            hits=hits,
            degraded=query.degraded,
            timings=query.stages.finish(),
            usage=SearchUsage(
                embedding_tokens=query.tokens,
                embedding_model=models[0] if len(models) == 1 else None,
                rerank_tokens=query.rerank_tokens,
            ),
            collection_revision=sum(record.revision for record in records),
            collection_revisions={record.name: record.revision for record in records},
        )


def _ranking(query: Query, records: Sequence[CollectionRecord], pools: Sequence[Pool]) -> tuple[list[Ranked], float]:
    """Everything found in order, and the highest score that anything unseen can have."""
    found = [each for pool in pools for each in pool.found]
    open_pools = [(record.name, pool) for record, pool in zip(records, pools, strict=True) if not pool.exhausted]
    if query.request.mode == "hybrid" and query.dense:
        best = fusion.best_of(found, {record.name: record.embedding_model for record in records})
        ranked = fusion.rank_fused(found, best)
        bounds = [best.score(name, pool.unseen_dense, pool.unseen_sparse) for name, pool in open_pools]
    else:
        ranked = fusion.rank_single(found)
        unseen = [pool.unseen_sparse if pool.unseen_dense is None else pool.unseen_dense for _, pool in open_pools]
        bounds = [bound for bound in unseen if bound is not None]
    if query.request.group_by == "document":
        ranked = fusion.best_per_document(ranked)
    if query.request.min_score is not None:
        ranked = [each for each in ranked if each.score >= query.request.min_score]
    return ranked, max(bounds, default=float("-inf"))


def _passing(error: ServiceError) -> bool:
    """Whether the failure lies with inference at this moment, rather than with the call."""
    return error.http_status >= 500 or error.http_status == 429
