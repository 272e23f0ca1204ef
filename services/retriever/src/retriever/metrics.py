"""The retriever's metrics.

| metric | labels | meaning |
| --- | --- | --- |
| groundwork_retriever_searches_total | mode, outcome | searches: `ok`, `empty`, `degraded`, `error` |
| groundwork_retriever_search_stage_seconds | stage | `embed`, `candidates`, `fuse`, `fetch`, and where asked for |
| | | `rerank`, `neighbours`; `total` |
| groundwork_retriever_search_retries_total | | searches run again because the collection changed meanwhile |
| groundwork_retriever_reranks_total | outcome | rankings to be reranked: `ok`, `timeout`, `unavailable` |
| groundwork_retriever_rerank_tokens_total | | tokens that the rerank model read |
| groundwork_retriever_chunks_indexed_total | source | chunks written: `embedded` by a model call, or `reused` vectors |
| groundwork_retriever_chunks_deleted_total | reason | points removed: `stale` after a commit, `deleted` documents |
| groundwork_retriever_chunks_copied_total | source | chunks brought into a shadow generation: `embedded`, or `reused` |
| groundwork_retriever_shadow_misses_total | | batches that a shadow generation could not take; copied later |
| groundwork_retriever_embedding_tokens_total | priority | tokens embedded for a `query` or in `bulk` |
| groundwork_retriever_index_stage_seconds | stage | time of `reuse`, `embed`, `write` of a batch |
| groundwork_retriever_index_builds_total | outcome | built, failed, timeout, no_room, superseded, cancelled |
| groundwork_retriever_index_build_seconds | | time of a build of an embedded index, with the copying |
| groundwork_retriever_points_unindexed | | points of embedded collections, as last seen, that no index covers |
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from servicekit.telemetry.metrics import LATENCY_BUCKETS, begin_at_zero

SEARCHES = Counter("groundwork_retriever_searches_total", "Searches.", ("mode", "outcome"))
SEARCH_SECONDS = Histogram(
    "groundwork_retriever_search_stage_seconds", "Time of a search's stages.", ("stage",), buckets=LATENCY_BUCKETS
)
SEARCH_RETRIES = Counter("groundwork_retriever_search_retries_total", "Searches run again after a change.")
RERANKS = Counter("groundwork_retriever_reranks_total", "Rankings to be reranked.", ("outcome",))
RERANK_TOKENS = Counter("groundwork_retriever_rerank_tokens_total", "Tokens that the rerank model read.")
CHUNKS_INDEXED = Counter("groundwork_retriever_chunks_indexed_total", "Chunks written.", ("source",))
CHUNKS_DELETED = Counter("groundwork_retriever_chunks_deleted_total", "Points removed.", ("reason",))
CHUNKS_COPIED = Counter("groundwork_retriever_chunks_copied_total", "Chunks copied into a shadow.", ("source",))
SHADOW_MISSES = Counter("groundwork_retriever_shadow_misses_total", "Batches that a shadow could not take.")
EMBEDDING_TOKENS = Counter("groundwork_retriever_embedding_tokens_total", "Tokens embedded.", ("priority",))
INDEX_SECONDS = Histogram(
    "groundwork_retriever_index_stage_seconds", "Time of a batch's stages.", ("stage",), buckets=LATENCY_BUCKETS
)
INDEX_BUILDS = Counter("groundwork_retriever_index_builds_total", "Builds of an embedded index.", ("outcome",))
INDEX_BUILD_SECONDS = Histogram(
    "groundwork_retriever_index_build_seconds",
    "Time of a build of an embedded index.",
    buckets=(1, 5, 15, 60, 300, 1800),
)
POINTS_UNINDEXED = Gauge("groundwork_retriever_points_unindexed", "Points that are compared one by one.")

begin_at_zero(SEARCHES, ("hybrid", "dense", "sparse"), ("ok", "empty", "degraded", "error"))
begin_at_zero(RERANKS, ("ok", "timeout", "unavailable"))
begin_at_zero(CHUNKS_INDEXED, ("embedded", "reused"))
begin_at_zero(CHUNKS_DELETED, ("stale", "deleted"))
begin_at_zero(CHUNKS_COPIED, ("embedded", "reused"))
begin_at_zero(EMBEDDING_TOKENS, ("query", "bulk"))
begin_at_zero(INDEX_BUILDS, ("built", "failed", "timeout", "no_room", "superseded", "cancelled"))
