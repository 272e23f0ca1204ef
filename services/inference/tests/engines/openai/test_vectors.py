from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from inference.catalog.sources import UpstreamSource
from inference.engines.openai.vectors import UpstreamEmbedding, UpstreamRank
from inference.engines.scripted.vectors import TOKENIZER
from inference.errors import UpstreamBroke
from inference.queueing.admission import Admission
from servicekit.peers.client import Peer

SOURCE = UpstreamSource(base_url="http://upstream.test/v1", upstream_model="big")


def _parts(tokenizer: Path | None = None) -> dict[str, Any]:
    admission = Admission("m", slots=1, waiting=1)
    return {
        "name": "m",
        "peer": cast("Peer", None),
        "admission": admission,
        "source": SOURCE,
        "api_key": None,
        "tokenizer": tokenizer,
    }


class Embedding(UpstreamEmbedding):
    """A server that gives these rows."""

    answer: Mapping[str, Any]

    async def post(self, path: str, body: Mapping[str, Any], *, bulk: bool = False) -> dict[str, Any]:
        return dict(self.answer)


class Rank(UpstreamRank):
    """A server that gives this ranking."""

    answer: Mapping[str, Any]

    async def post(self, path: str, body: Mapping[str, Any], *, bulk: bool = False) -> dict[str, Any]:
        return dict(self.answer)


async def test_vectors_come_normalised_in_the_order_of_the_texts() -> None:
    engine = Embedding(dimensions=2, **_parts())
    coded = base64.b64encode(np.array([0, 2], dtype="<f4").tobytes()).decode()
    rows = [{"index": 1, "embedding": coded}, {"index": 0, "embedding": [3.0, 4.0]}]
    engine.answer = {"data": rows, "usage": {"total_tokens": 7}}
    embedded = await engine.embed(["a", "b"], "query")
    np.testing.assert_allclose(embedded.vectors, [[0.6, 0.8], [0, 1]], atol=1e-6)
    assert embedded.tokens == 7


@pytest.mark.parametrize("row", [[1.0], [1.0, float("nan")], None])
async def test_what_is_no_vector_of_the_declared_length_is_the_server_s_failure(row: Any) -> None:
    engine = Embedding(dimensions=2, **_parts())
    engine.answer = {"data": [{"index": 0, "embedding": row}]}
    with pytest.raises(UpstreamBroke):
        await engine.embed(["a"], "query")


async def test_tokens_are_counted_by_the_declared_tokenizer_where_the_server_names_none(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(TOKENIZER)
    engine = Rank(**_parts(tmp_path / "tokenizer.json"))
    engine.answer = {"results": [{"index": 1, "relevance_score": 2}, {"index": 0, "relevance_score": 1}]}
    ranked = await engine.rank("one two", ["three", "four five"])
    assert (ranked.scores, ranked.tokens) == ((1.0, 2.0), 7)
    engine.answer = {**engine.answer, "meta": {"tokens": {"input_tokens": 9}}}
    assert (await engine.rank("one two", ["three", "four five"])).tokens == 9


async def test_a_ranking_without_a_score_for_each_document_is_the_server_s_failure() -> None:
    engine = Rank(**_parts())
    engine.answer = {"results": [{"index": 0, "relevance_score": 1}]}
    with pytest.raises(UpstreamBroke):
        await engine.rank("q", ["a", "b"])
