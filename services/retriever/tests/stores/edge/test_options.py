from __future__ import annotations

from pathlib import Path

import pytest
import qdrant_edge as edge

from contracts.retrieval.collections import VectorOptions
from retriever.stores.edge import options
from retriever.stores.edge.options import DENSE, SPARSE
from retriever.stores.points import INTEGER_FIELDS, KEYWORD_FIELDS


@pytest.mark.parametrize(("on_disk", "memory"), [(False, edge.Memory.Cached), (True, edge.Memory.Cold)])
def test_vectors_and_their_index_lie_where_the_options_say(on_disk: bool, memory: edge.Memory) -> None:
    config = options.config(384, VectorOptions(on_disk=on_disk))
    assert config.hnsw_config is not None
    assert (config.vectors[DENSE].size, config.vectors[DENSE].distance) == (384, edge.Distance.Cosine)
    assert config.vectors[DENSE].memory == config.hnsw_config.memory == memory
    assert config.sparse_vectors[SPARSE].modifier == edge.Modifier.Idf
    assert config.quantization_config is None


def test_quantized_vectors_stay_in_memory_wherever_the_full_ones_lie() -> None:
    scalar = options.config(8, VectorOptions(quantization="scalar", on_disk=True)).quantization_config
    binary = options.config(8, VectorOptions(quantization="binary", on_disk=True)).quantization_config
    assert isinstance(scalar, edge.ScalarQuantizationConfig)
    assert isinstance(binary, edge.BinaryQuantizationConfig)
    assert scalar.memory == binary.memory == edge.Memory.Pinned


def test_the_best_by_quantized_vectors_are_ranked_by_the_full_ones() -> None:
    found = options.search(200)
    assert (found.exact, found.hnsw_ef) == (False, 400)
    assert found.quantization is not None
    assert found.quantization.rescore
    assert options.search(10, exact=True).exact


def test_a_shard_has_an_index_over_each_field_that_is_filtered_by(tmp_path: Path) -> None:
    shard = edge.EdgeShard.create(str(tmp_path), options.config(4, VectorOptions()))
    for index in options.field_indexes().values():
        shard.update(index)
    shard.update(options.number_index('metadata."n"'))
    schema = shard.info().payload_schema
    shard.close()
    assert set(options.field_indexes()) == {*KEYWORD_FIELDS, *INTEGER_FIELDS}
    assert set(options.field_indexes()) < set(schema)
    assert len(schema) == len(options.field_indexes()) + 1
