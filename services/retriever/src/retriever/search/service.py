"""Search: the query embedded once a model, candidates of each collection, one ranking, the page's texts.

The ranking is exact however deep it is paged, as far as its lists are (an index may miss a neighbour): see `depth`.
A change of a collection during the search runs it again, so that readers see neither a gap nor a mixture of two
revisions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from contracts.retrieval.search import DEFAULT_MODEL, Hit, Scores, SearchMode, SearchReply, SearchRequest, SearchUsage
from retriever.catalog.collections import CollectionRecord, CollectionRepository
from retriever.catalog.generations import CollectionGone
from retriever.catalog.revisions import RevisionRepository
from retriever.errors import CollectionNotFound, EmbeddingMismatch, GenerationMissing, GenerationOfSeveral
from retriever.metrics import EMBEDDING_TOKENS, SEARCH_RETRIES, SEARCH_SECONDS, SEARCHES
from retriever.models.protocol import Embedder
from retriever.search import fusion, neighbours
from retriever.search.candidates import CandidateReader, Pool
from retriever.search.depth import ListDepths, best_of_pools
from retriever.search.fusion import Best, CandidateScores, RankedCandidate
from retriever.search.rerank import RerankStage
from retriever.search.visibility import Visibility
from retriever.stages import Stages
from retriever.stores import filters
from retriever.stores.points import StoredPoint, make_hit
from retriever.stores.protocol import VectorStore
from retriever.stores.queries import CollectionQuery
from retriever.text.bm25 import query_vector
from servicekit.core.errors import ServiceError
from servicekit.telemetry.spans import Attributes, model_call

log = structlog.get_logger(__name__)
Said = TypeVar("Said")
ATTEMPTS = 3
FLIPS = 3
"""Further attempts where a collection's generation was replaced."""
MODEL_SECONDS = 60.0
"""How long what inference says of a model is kept."""
VisibleHit = tuple[RankedCandidate, StoredPoint]
MORE_CANDIDATES = 4
"""How many times as many candidates are looked at when the first were hidden."""


@dataclass
class Query:
    """One search under way."""

    request: SearchRequest
    token: str
    where: filters.Where | None
    mode: SearchMode = "hybrid"
    """As the request says, else as its collections do."""
    stages: Stages = field(default_factory=lambda: Stages(SEARCH_SECONDS))
    degraded: list[str] = field(default_factory=list)
    embedded: dict[str, int] = field(default_factory=dict)
    """The tokens that each embedding model read: they are paid, whatever fails later."""
    truncated: bool = False
    """Whether a model read only the beginning of the query. The words count whole in any case."""
    rerank_tokens: int = 0
    rerank_model: str = DEFAULT_MODEL
    reranked: int = 0
    """How many of the first hits are to be reranked: as long as the page reaches into them, all of them."""
    dense: dict[str, list[float]] = field(default_factory=dict)
    """The query's vector by embedding model."""
    unrelated: dict[str, float] = field(default_factory=dict)
    """By embedding model, the cosine that says nothing."""

    @property
    def wanted(self) -> int:
        """How much of the ranking must be exact."""
        return max(self.request.offset + self.request.limit, self.reranked)

    @property
    def first(self) -> int:
        """Where the part of the ranking begins that is needed."""
        return 0 if self.reranked else self.request.offset

    def usage(self) -> SearchUsage:
        """What models have read for it until now."""
        models = list(self.embedded)
        return SearchUsage(
            embedding_tokens=sum(self.embedded.values()),
            embedding_model=models[0] if len(models) == 1 else None,
            embeddings=self.embedded,
            rerank_tokens=self.rerank_tokens,
            rerank_model=self.rerank_model if self.rerank_tokens and self.rerank_model != DEFAULT_MODEL else None,
        )

    @property
    def unrelated_cosine(self) -> float:
        """That of the one model by which it searches; 0 where there is none, or several."""
        return next(iter(self.unrelated.values())) if len(self.unrelated) == 1 else 0.0

    def for_collection(self, record: CollectionRecord) -> CollectionQuery:
        """The query as one collection is searched with it."""
        sparse = None if self.mode == "dense" else query_vector(self.request.query, record.language)
        model = record.embedding_model
        return CollectionQuery(self.dense.get(model), sparse, self.unrelated.get(model, 0.0))


@dataclass(frozen=True, slots=True)
class Ranking:
    """All candidates whose scores are known, in order, and the `best` of a hybrid search."""

    ranked: list[RankedCandidate]
    threshold: float
    """The highest score that anything else can have."""
    best: Best | None = None

    @property
    def holders(self) -> tuple[CandidateScores, ...]:
        """Who has the best scores."""
        return () if self.best is None else self.best.holders


class SearchService:
    """Answers searches. Between them it remembers only what models are like."""

    def __init__(
        self,
        collection_rows: CollectionRepository,
        reader: CandidateReader,
        store: VectorStore,
        revisions: RevisionRepository,
        embedder: Embedder,
        rerank_stage: RerankStage,
    ) -> None:
        self._collections = collection_rows
        self._reader = reader
        self._store = store
        self._revisions = revisions
        self._embedder = embedder
        self._rerank_stage = rerank_stage
        self._unrelated_cosines: dict[str, tuple[float, float]] = {}
        """By model: what inference said, and the second of the monotonic clock at which it is asked again."""

    async def search(self, tenant: str, request: SearchRequest, token: str) -> SearchReply:
        """Hits in descending score.

        `score` is the fused score in [0, 1] of a hybrid search (1 would be best by meaning and by words, or by words
        alone where nothing can be embedded), the cosine of a dense one, BM25 of a sparse one. Raises
        `CollectionNotFound`, and in dense mode what inference raised.
        """
        query = Query(request, token, filters.where(request.filter), request.mode or "hybrid")
        await asyncio.sleep(0)  # with embedded stores nothing below may wait: who searches in a loop keeps nobody off
        try:
            with model_call("retrieval", None, "internal", _about(request)) as span:
                reply = await self._search(tenant, query)
                found = {"groundwork.search_mode": query.mode, "groundwork.hits": len(reply.hits)}
                span.set({**found, "groundwork.degraded": tuple(reply.degraded), **query.stages.attributes()})
        except ServiceError as error:
            SEARCHES.labels(query.mode, "error").inc()
            if query.embedded:
                error.usage = query.usage().model_dump()
            raise
        outcome = "degraded" if reply.degraded else "ok" if reply.hits else "empty"
        SEARCHES.labels(query.mode, outcome).inc()
        return reply

    async def _search(self, tenant: str, query: Query) -> SearchReply:
        names = list(dict.fromkeys(query.request.collections))
        records: list[CollectionRecord] = []
        attempt = 0
        for _ in range(ATTEMPTS + FLIPS):
            attempt += 1
            records = await self._records(tenant, names, query.request.generation)
            searched = [record for record in records if not record.is_unbound]  # in others there is nothing yet
            if not searched:
                return self._reply(query, records, [])
            query.mode = query.request.mode or _agreed(record.mode for record in searched) or "hybrid"
            query.reranked = self._to_rerank(query.request, searched)
            by_all = _agreed(record.rerank_model for record in searched)
            query.rerank_model = query.request.rerank_model or by_all or DEFAULT_MODEL
            await self._embed(query, searched)
            try:
                hits, current = await self._rank(query, searched)
                if current or attempt >= ATTEMPTS:
                    return self._reply(query, records, await self._page(query, searched, hits))
            except CollectionGone:
                continue  # the next attempt says which one is not found
            except GenerationMissing:
                fresh = await self._records(tenant, names, query.request.generation)
                if [each.vectors for each in fresh] == [each.vectors for each in records]:
                    raise
                attempt -= 1  # a reindex has flipped: what this attempt read was on its way out
                continue
            SEARCH_RETRIES.inc()
        raise CollectionNotFound(names[0])

    async def _records(self, tenant: str, names: list[str], generation: int | None) -> list[CollectionRecord]:
        """What is searched; of one collection, the generation that is named. Raises `CollectionNotFound`,
        `GenerationNotFound` or `GenerationOfSeveral`."""
        if generation is not None and len(names) > 1:
            raise GenerationOfSeveral
        found = await self._collections.get_collections(tenant, names)
        return found if generation is None else [await self._collections.of_generation(found[0], generation)]

    async def _embed(self, query: Query, records: Sequence[CollectionRecord]) -> None:
        """Embed the query once a model; a hybrid search does without where that fails."""
        if query.mode == "sparse":
            return
        dimensions = {record.embedding_model: record.dimensions for record in records}
        for model, length in dimensions.items():
            if model in query.dense or query.degraded:
                continue
            try:
                with query.stages.timed("embed"):
                    made = await self._embedder.embed(model, [query.request.query], "query", query.token)
                    query.embedded[model] = made.tokens
                    EMBEDDING_TOKENS.labels("query").inc(made.tokens)
                    query.unrelated[model] = await self._unrelated(model, query.token)
            except ServiceError as error:
                if query.mode == "dense" or not _is_passing(error):
                    raise
                log.warning("searching by words alone", model=model, error=error.code)
                query.degraded.append("dense_unavailable")
                query.dense.clear()
                return
            if len(made.vectors[0]) != length:
                raise EmbeddingMismatch(model, length, len(made.vectors[0]))
            query.dense[model] = made.vectors[0]
            query.truncated = query.truncated or made.truncated > 0

    async def _unrelated(self, model: str, token: str) -> float:
        """What inference says of the model, asked once a minute: models change while it runs."""
        known, until = self._unrelated_cosines.get(model, (0.0, 0.0))
        if time.monotonic() < until:
            return known
        known = (await self._embedder.get_model(model, token)).unrelated_cosine
        self._unrelated_cosines[model] = known, time.monotonic() + MODEL_SECONDS
        return known

    async def _rank(self, query: Query, records: Sequence[CollectionRecord]) -> tuple[list[Hit], bool]:
        """The part of the ranking that is needed, and whether nothing changed since the records were read."""
        depths = ListDepths(self._reader, records, [query.for_collection(record) for record in records], query.where)
        with query.stages.timed("candidates"):
            pools = await depths.begin(query.wanted)
        visibility = Visibility(self._store, self._revisions, records)
        while True:
            hits, ranking = await self._visible(query, records, pools, visibility)
            lowest = _lowest(query, hits)
            if lowest is not None and ranking.threshold < lowest:
                break
            with query.stages.timed("candidates"):
                deeper = await depths.deeper(pools, lowest, ranking.best)
            if deeper is None:
                break
            pools = deeper
            if not visibility.current:  # what was seen before the change must not be shown beside what came after it
                visibility = Visibility(self._store, self._revisions, records)
        return [_hit(query, *each) for each in hits[query.first :]], visibility.current

    async def _visible(
        self, query: Query, records: Sequence[CollectionRecord], pools: Sequence[Pool], visibility: Visibility
    ) -> tuple[list[VisibleHit], Ranking]:
        """The first hits of the ranking of what may be shown, and that ranking.

        A first look is at what the ranking shows first; if that is hidden, further ones go deeper.
        """
        at_once = query.wanted
        ranking = None
        while True:
            with query.stages.timed("fuse"):
                ranking = ranking or _ranking(query, records, pools, visibility)
                hits, unknown = _first(query, ranking.ranked, visibility, at_once)
                unknown += [each for each in ranking.holders if not visibility.knows(each)]
            if visibility.checked and not unknown:
                return hits, ranking
            with query.stages.timed("fetch"):
                await visibility.check(set(unknown))
                if any(map(visibility.hides, ranking.holders)):
                    await visibility.check({each for pool in pools for each in pool.found.values()})
            if any(map(visibility.hides, unknown)):
                ranking = None  # what is hidden must not count
            at_once *= MORE_CANDIDATES

    def _to_rerank(self, request: SearchRequest, records: Sequence[CollectionRecord]) -> int:
        """How many hits to rerank: as the request says, else only if all its collections are set to it."""
        wanted = request.rerank
        if wanted is None:
            wanted = request.rerank_model is not None or all(record.rerank for record in records)
        return self._rerank_stage.depth if wanted and request.offset < self._rerank_stage.depth else 0

    async def _page(self, query: Query, records: Sequence[CollectionRecord], hits: list[Hit]) -> list[Hit]:
        """The page of the hits, which begin at `query.first`; reranked if it reaches into what is to be."""
        if query.reranked:
            with query.stages.timed("rerank"):
                reordered = await self._rerank_stage.rerank(query.rerank_model, query.request.query, hits, query.token)
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
        return SearchReply(
            hits=hits,
            degraded=query.degraded,
            timings=query.stages.finish(),
            usage=query.usage(),
            abstain=_agreed(record.abstain for record in records),
            unrelated_cosine=query.unrelated_cosine,
            collection_revision=sum(record.revision for record in records),
            collection_revisions={record.name: record.revision for record in records},
        )


def _agreed(said: Iterable[Said]) -> Said | None:
    """What all of them say; None where they differ."""
    different = set(said)
    return different.pop() if len(different) == 1 else None


def _about(request: SearchRequest) -> Attributes:
    return {"gen_ai.data_source.id": ",".join(request.collections)}


def _ranking(
    query: Query, records: Sequence[CollectionRecord], pools: Sequence[Pool], visibility: Visibility
) -> Ranking:
    found = [each for pool in pools for each in pool.found.values() if not visibility.hides(each)]
    open_pools = [(record.name, pool) for record, pool in zip(records, pools, strict=True) if not pool.exhausted]
    best = None
    if query.mode == "hybrid":
        best = best_of_pools(records, pools, found)
        half = {each for pool in pools for each in pool.half}
        ranked = fusion.rank_fused([each for each in found if each.id not in half] if half else found, best)
        bounds = [best.score(name, pool.unseen_dense, pool.unseen_sparse) for name, pool in open_pools]
        bounds += [
            pool.upper_bound(each, best)
            for pool in pools
            for each in pool.half
            if not visibility.hides(pool.found[each])
        ]
    else:
        ranked = fusion.rank_single(found)
        unseen = [pool.unseen_sparse if pool.unseen_dense is None else pool.unseen_dense for _, pool in open_pools]
        bounds = [bound for bound in unseen if bound is not None]
    if query.request.min_score is not None:
        ranked = [each for each in ranked if each.score >= query.request.min_score]
    return Ranking(ranked, max(bounds, default=float("-inf")), best)


def _lowest(query: Query, hits: Sequence[VisibleHit]) -> float | None:
    """The score that something unseen must have to belong among the hits; null where more hits are needed anyway."""
    if len(hits) >= query.wanted:
        return hits[-1][0].score
    return query.request.min_score


def _first(
    query: Query, ranked: Sequence[RankedCandidate], visibility: Visibility, at_once: int
) -> tuple[list[VisibleHit], list[CandidateScores]]:
    """The first hits, right only if nothing is unknown; and the first candidates that must be looked at for them."""
    hits: list[VisibleHit] = []
    unknown: list[CandidateScores] = []
    documents: set[tuple[str, str]] = set()
    for each in ranked:
        found = each.found
        if len(hits) == query.wanted or len(unknown) == at_once:
            break
        if not visibility.knows(found):
            unknown.append(found)
            continue
        stored = visibility.get_point(found)
        assert stored is not None  # what is hidden is not ranked
        document = (found.collection, stored.payload["document_id"])
        if query.request.group_by == "document" and document in documents:
            continue
        documents.add(document)
        hits.append((each, stored))
    return hits, unknown


def _hit(query: Query, ranked: RankedCandidate, stored: StoredPoint) -> Hit:
    found = ranked.found
    fused = ranked.score if query.mode == "hybrid" and not query.degraded else None
    return make_hit(found.collection, stored, ranked.score, Scores(dense=found.dense, sparse=found.sparse, fused=fused))


def _is_passing(error: ServiceError) -> bool:
    """Whether the failure lies with inference at this moment, rather than with the call."""
    return error.http_status >= 500 or error.http_status == 429
