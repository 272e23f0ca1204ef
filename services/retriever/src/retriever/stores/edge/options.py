"""How the embedded engine keeps a generation: its vectors, its payload indexes and the index over dense vectors."""

from __future__ import annotations

import qdrant_edge as edge

from contracts.retrieval.collections import VectorOptions
from retriever.stores import hnsw
from retriever.stores.points import INTEGER_FIELDS, KEYWORD_FIELDS

DENSE, SPARSE = "dense", "sparse"
Quantization = edge.ScalarQuantizationConfig | edge.BinaryQuantizationConfig


def config(dimensions: int, options: VectorOptions) -> edge.EdgeConfig:
    """What is kept with a shard for good.

    No write-ahead log, since each write is flushed before it is acknowledged; forty kills at random moments lost
    nothing. One search thread, since a search of the index is over sooner than a second thread has started. The index
    is only built where `optimize` is called, which is in a child process.
    """
    memory = edge.Memory.Cold if options.on_disk else edge.Memory.Cached
    return edge.EdgeConfig(
        vectors={DENSE: edge.EdgeVectorParams(size=dimensions, distance=edge.Distance.Cosine, memory=memory)},
        sparse_vectors={SPARSE: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
        hnsw_config=edge.HnswIndexConfig(
            m=hnsw.M,
            ef_construct=hnsw.EF_CONSTRUCT,
            full_scan_threshold=hnsw.full_scan_kib(dimensions),
            max_indexing_threads=1,
            memory=memory,
        ),
        optimizers=edge.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=1),
        quantization_config=_quantization(options),
        wal_enabled=False,
        max_search_threads=1,
    )


def field_indexes() -> dict[str, edge.UpdateOperation]:
    """The payload indexes that every shard has, by field.

    Read through the page cache once they are optimised, so that a shard opens in a third of the time. None has links of
    its own in the graph, which would double the time of a build: a filter that leaves few points is searched exactly.
    """
    index = edge.UpdateOperation.create_field_index
    words = edge.KeywordIndexParams(memory=edge.Memory.Cold, enable_hnsw=False)
    numbers = edge.IntegerIndexParams(memory=edge.Memory.Cold, enable_hnsw=False)
    return {
        **{field: index(field, words) for field in KEYWORD_FIELDS},
        **{field: index(field, numbers) for field in INTEGER_FIELDS},
    }


def number_index(path: str) -> edge.UpdateOperation:
    """The index over a field of metadata that holds numbers."""
    return edge.UpdateOperation.create_field_index(
        path, edge.FloatIndexParams(memory=edge.Memory.Cold, enable_hnsw=False)
    )


def search(limit: int, *, exact: bool = False) -> edge.SearchParams:
    """How a search goes: through the index where there is one, with every point compared where there is none.

    `exact` compares them in any case. Where vectors are quantized, the best are ranked by the full vectors.
    """
    again = edge.QuantizationSearchParams(rescore=True, oversampling=hnsw.OVERSAMPLING)
    return edge.SearchParams(exact=exact, hnsw_ef=hnsw.ef(limit), quantization=again)


def _quantization(options: VectorOptions) -> Quantization | None:
    if options.quantization == "scalar":
        return edge.ScalarQuantizationConfig(edge.ScalarType.Int8, quantile=0.99, memory=edge.Memory.Pinned)
    if options.quantization == "binary":
        asked = edge.BinaryQuantizationQueryEncoding.Scalar8Bits  # of the query alone, so it costs no memory
        return edge.BinaryQuantizationConfig(memory=edge.Memory.Pinned, query_encoding=asked)
    return None
