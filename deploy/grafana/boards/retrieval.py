"""Searches and indexing, and Qdrant where there is a server."""

from __future__ import annotations

from panels import Board, Row, line, quantiles, rates

BOARD = Board(
    "groundwork-retrieval",
    "Groundwork: retrieval",
    (
        Row(
            "Searches",
            (
                line("Searches", rates("groundwork_retriever_searches_total", "mode, outcome"), unit="reqps"),
                line(
                    "A search",
                    *quantiles(
                        "groundwork_retriever_search_stage_seconds", where='stage="total"', shares=(0.5, 0.95, 0.99)
                    ),
                    unit="s",
                ),
                line(
                    "Its stages, p95",
                    *quantiles("groundwork_retriever_search_stage_seconds", "stage", 'stage!="total"', (0.95,)),
                    unit="s",
                ),
                line("Run again after a change", rates("groundwork_retriever_search_retries_total"), unit="reqps"),
                line("Rerank", rates("groundwork_retriever_reranks_total", "outcome"), unit="reqps"),
                line("Tokens read by rerank", rates("groundwork_retriever_rerank_tokens_total")),
            ),
        ),
        Row(
            "Indexing",
            (
                line("Chunks written", rates("groundwork_retriever_chunks_indexed_total", "source")),
                line("Points removed", rates("groundwork_retriever_chunks_deleted_total", "reason")),
                line("Tokens embedded", rates("groundwork_retriever_embedding_tokens_total", "priority")),
                line(
                    "Stages of a batch, p95",
                    *quantiles("groundwork_retriever_index_stage_seconds", "stage", shares=(0.95,)),
                    unit="s",
                ),
                line("Chunks copied by a reindex", rates("groundwork_retriever_chunks_copied_total", "source")),
                line("Batches that a shadow missed", rates("groundwork_retriever_shadow_misses_total")),
            ),
        ),
        Row(
            "The embedded index",
            (
                line("Points that no index covers", ("sum(groundwork_retriever_points_unindexed)", "points")),
                line("Builds", rates("groundwork_retriever_index_builds_total", "outcome")),
                line("A build", *quantiles("groundwork_retriever_index_build_seconds"), unit="s"),
            ),
        ),
        Row(
            "Qdrant server",
            (
                line("Calls", rates("rest_responses_total", "method, endpoint"), unit="reqps", needs="qdrant"),
                line(
                    "Failed calls", rates("rest_responses_fail_total", "method, endpoint"), unit="reqps", needs="qdrant"
                ),
                line(
                    "A call, p95",
                    *quantiles("rest_responses_duration_seconds", "endpoint", shares=(0.95,)),
                    unit="s",
                    needs="qdrant",
                ),
                line("Vectors", ("sum by (instance) (collections_vector_total)", "{{instance}}"), needs="qdrant"),
                line("Peers of the cluster", ("min(cluster_peers_total)", "peers"), needs="qdrant"),
                line("Memory", ("memory_resident_bytes", "{{instance}}"), unit="bytes", needs="qdrant"),
            ),
        ),
    ),
)
