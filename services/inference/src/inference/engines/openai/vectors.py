"""Embeddings and rankings of any server that speaks OpenAI's API, or Cohere's `/rerank`."""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from inference.engines.openai.chat import Upstream, usage_in
from inference.errors import UpstreamBroke
from inference.protocol.engines import NO_EXTRA_FIELDS, EmbeddingResult, ExtraFields, Priority, RankingResult
from inference.protocol.prefixes import NO_PREFIXES, Prefixes


class _Counted(Upstream):
    """Counts by the model's declared tokenizer where the server says nothing of tokens; 0 without one."""

    _counter: Tokenizer | None = None

    async def _counted(self, texts: Sequence[Any]) -> int:
        if self._tokenizer is None:
            return 0
        return await asyncio.to_thread(self._count, texts)

    def _count(self, texts: Sequence[Any]) -> int:
        if self._counter is None:
            assert self._tokenizer is not None
            counter = Tokenizer.from_file(str(self._tokenizer))
            counter.no_truncation()
            counter.no_padding()
            self._counter = counter
        return sum(len(encoding.ids) for encoding in self._counter.encode_batch_fast(list(texts)))


class UpstreamEmbedding(_Counted):
    """An `EmbeddingEngine`. The server cuts nothing: an input that is too long is its 400."""

    def __init__(self, *args: Any, dimensions: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dimensions = dimensions

    def prefixes(self) -> Prefixes:
        """None that the server names."""
        return NO_PREFIXES

    async def embed(
        self, texts: Sequence[str], priority: Priority, extra: ExtraFields = NO_EXTRA_FIELDS
    ) -> EmbeddingResult:
        """The server's vectors, normalised. Queries get slots before bulk."""
        body: dict[str, Any] = {
            **extra,
            "model": self.source.upstream_model,
            "input": list(texts),
            "encoding_format": self.source.encoding_format,
        }
        if self.source.send_dimensions:
            body["dimensions"] = self._dimensions
        answer = await self.post("/embeddings", body, bulk=priority == "bulk")
        try:
            rows = sorted(answer["data"], key=lambda row: row["index"])
            with np.errstate(over="ignore"):  # infinity is seen below
                vectors = np.array([_vector(row["embedding"]) for row in rows], dtype=np.float32)
        except (KeyError, TypeError, ValueError):
            raise UpstreamBroke(self.name, "gave embeddings that can't be read", usage_in(answer)) from None
        if vectors.shape != (len(texts), self._dimensions):
            raise UpstreamBroke(
                self.name,
                f"gave embeddings of shape {vectors.shape}; see `dimensions` in the models file",
                usage_in(answer),
            )
        if not np.isfinite(vectors).all():  # servers give null or NaN where their model overflowed
            raise UpstreamBroke(self.name, "gave embeddings that are not numbers", usage_in(answer))
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        tokens = _tokens(answer) or await self._counted(list(texts))
        return EmbeddingResult(vectors / np.maximum(lengths, 1e-12), tokens, truncated=0)


class UpstreamRank(_Counted):
    """A `RerankEngine` over `/rerank` as vLLM, llama.cpp, Jina and Cohere have it."""

    async def rank(self, query: str, documents: Sequence[str], extra: ExtraFields = NO_EXTRA_FIELDS) -> RankingResult:
        """The server's scores."""
        body = {
            **extra,
            "model": self.source.upstream_model,
            "query": query,
            "documents": list(documents),
            "top_n": len(documents),
        }
        answer = await self.post("/rerank", body)
        try:
            scores = {int(row["index"]): float(row["relevance_score"]) for row in answer["results"]}
            ranked = tuple(scores[index] for index in range(len(documents)))
        except (KeyError, TypeError, ValueError):
            raise UpstreamBroke(self.name, "gave a ranking that can't be read", usage_in(answer)) from None
        if not all(map(math.isfinite, ranked)):
            raise UpstreamBroke(self.name, "gave a ranking by scores that are not numbers", usage_in(answer))
        tokens = _tokens(answer) or await self._counted([(query, document) for document in documents])
        return RankingResult(ranked, tokens, truncated=0)


def _vector(value: object) -> Any:
    return np.frombuffer(base64.b64decode(value), dtype="<f4") if isinstance(value, str) else value


def _tokens(answer: Mapping[str, Any]) -> int:
    """Tokens read: `usage` of OpenAI, vLLM and Jina, `meta` of Cohere."""
    meta = answer.get("meta")
    said: list[Any] = [answer.get("usage")]
    if isinstance(meta, dict):
        said += [meta.get("tokens"), meta.get("billed_units")]
    for usage in (each for each in said if isinstance(each, dict)):
        for name in ("total_tokens", "prompt_tokens", "input_tokens"):
            count = usage.get(name)
            if isinstance(count, int | float) and count > 0:
                return int(count)
    return 0
