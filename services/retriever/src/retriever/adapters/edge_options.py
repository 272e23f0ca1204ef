"""How the embedded engine keeps a generation: its vectors, its payload indexes and the index over dense vectors."""

from __future__ import annotations

import qdrant_edge as edge

from contracts.collections import VectorOptions
from retriever.points import INTEGER_FIELDS, KEYWORD_FIELDS

DENSE, SPARSE = "dense", "sparse"
Quantization = edge.ScalarQuantizationConfig | edge.BinaryQuantizationConfig


def config(dimensions: int, options: VectorOptions) -> edge.EdgeConfig:
    """What is kept with a shard for good.

    No write-ahead log, since each write is flushed before it is acknowledged; forty kills at random moments lost
    nothing. One search thread: there are two segments at most, and one of them is small.
    """
    memory = edge.Memory.Cold if options.on_disk else edge.Memory.Cached
    return edge.EdgeConfig(
        vectors={DENSE: edge.EdgeVectorParams(size=dimensions, distance=edge.Distance.Cosine, memory=memory)},
        sparse_vectors={SPARSE: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
        quantization_config=_quantization(options),
        wal_enabled=False,
        max_search_threads=1,
    )


def field_indexes() -> list[edge.UpdateOperation]:
    """The payload indexes that every shard has."""
    index = edge.UpdateOperation.create_field_index
    return [
        *(index(field, edge.PayloadSchemaType.Keyword) for field in KEYWORD_FIELDS),
        *(index(field, edge.PayloadSchemaType.Integer) for field in INTEGER_FIELDS),
    ]


def _quantization(options: VectorOptions) -> Quantization | None:
    if options.quantization == "scalar":
        return edge.ScalarQuantizationConfig(edge.ScalarType.Int8, quantile=0.99, memory=edge.Memory.Pinned)
    if options.quantization == "binary":
        return edge.BinaryQuantizationConfig(memory=edge.Memory.Pinned)
    return None
