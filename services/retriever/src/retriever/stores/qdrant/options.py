"""How a Qdrant server keeps a generation and searches it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qdrant_client import models

from contracts.retrieval.collections import VectorOptions
from retriever.settings import RetrieverSettings
from retriever.stores import hnsw

DENSE, SPARSE = "dense", "sparse"


@dataclass(frozen=True, slots=True)
class Spread:
    """How a generation is spread over a cluster; null leaves it to the server's own configuration."""

    shards: int | None = None
    replicas: int | None = None
    write_consistency: int | None = None
    read_consistency: models.ReadConsistencyType | None = None
    """How many copies a read asks. With `majority`, and more than half of them written before a write is acknowledged,
    a search sees every write that was acknowledged before it."""


AS_CONFIGURED = Spread()


def spread_of(settings: RetrieverSettings) -> Spread:
    """As an operator set it."""
    reads = settings.qdrant_read_consistency
    return Spread(
        shards=settings.qdrant_shards,
        replicas=settings.qdrant_replicas,
        write_consistency=settings.qdrant_write_consistency,
        read_consistency=None if reads is None else models.ReadConsistencyType(reads),
    )


def collection(dimensions: int, options: VectorOptions, spread: Spread) -> dict[str, Any]:
    """The arguments that make a collection on the server."""
    dense = models.VectorParams(size=dimensions, distance=models.Distance.COSINE, on_disk=options.on_disk)
    return {
        "vectors_config": {DENSE: dense},
        "sparse_vectors_config": {SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
        "quantization_config": _quantization(options),
        "hnsw_config": models.HnswConfigDiff(
            m=hnsw.M,
            ef_construct=hnsw.EF_CONSTRUCT,
            full_scan_threshold=hnsw.full_scan_kib(dimensions),
            on_disk=options.on_disk,
        ),
        "shard_number": spread.shards,
        "replication_factor": spread.replicas,
        "write_consistency_factor": spread.write_consistency,
    }


def search(limit: int, *, exact: bool = False) -> models.SearchParams:
    """How a search goes through the index, which `exact` leaves aside; where vectors are quantized, the best are looked
    at again in full.
    """
    again = models.QuantizationSearchParams(rescore=True, oversampling=hnsw.OVERSAMPLING)
    return models.SearchParams(exact=exact, hnsw_ef=hnsw.ef(limit), quantization=again)


def _quantization(options: VectorOptions) -> models.ScalarQuantization | models.BinaryQuantization | None:
    if options.quantization == "scalar":
        scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
        return models.ScalarQuantization(scalar=scalar)
    if options.quantization == "binary":
        asked = models.BinaryQuantizationQueryEncoding.SCALAR8BITS  # of the query alone, so it costs no memory
        return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True, query_encoding=asked))
    return None
