"""Rerank by late interaction: an embedding model's vectors of single tokens, each of the query's against a text's best.

The score is MaxSim of Khattab and Zaharia, "ColBERT" (2020), divided by the query's length: the mean over the query's
tokens of the highest cosine with any token of the text. It needs no model but the one that embeds; what that gains and
costs is in docs/decisions/0405-rerank.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from inference.adapters import torch_runtime
from inference.adapters.sentence_transformers_models import plain_tokenizer
from inference.admission import Admission
from inference.errors import ModelNotReady
from inference.liveness import Liveness
from inference.metrics import TRUNCATED
from inference.ports import Ranked

log = structlog.get_logger(__name__)
TEXTS_AT_ONCE = 4
"""In one batch of a worker: small, so that a caller that leaves is soon noticed."""
NOTHING = -1.0
"""The score of a text without a token: the lowest that a cosine can be."""


@dataclass(frozen=True, slots=True)
class Read:
    """A text in tokens, as far as the model reads; `telling` marks those that are not special."""

    ids: list[int]
    telling: list[bool]
    length: int
    """Tokens of the whole text."""


class LateInteractionRank:
    """A `RerankEngine` over a sentence-transformers model folder; one call at a time, its texts spread over threads."""

    def __init__(
        self,
        model: str,
        locate: Callable[[], Path],
        admission: Admission,
        *,
        max_input_tokens: int,
        threads: int,
        precision: torch_runtime.Precision,
        fresh_seconds: float,
        stalled_seconds: float,
    ) -> None:
        self._name = model
        self._locate = locate
        self._admission = admission
        self._limit = max_input_tokens
        self._precision = precision
        self._torch: Any = None
        self._model: Any = None
        self._counter: Any = None
        self._tokenizer: bytes | None = None
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=f"rank-{model}")
        self._liveness = Liveness(
            model,
            ask=lambda: self.rank("ready?", ["yes"]),
            busy=lambda: admission.running > 0,
            fresh_seconds=fresh_seconds,
            stalled_seconds=stalled_seconds,
        )

    async def open(self) -> None:
        """Load, then score one text."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._load)
        await self.probe()

    async def close(self) -> None:
        """End the threads after the texts that they are at."""
        await self._liveness.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def probe(self) -> None:
        """Raise unless it scores."""
        await self._liveness.check()

    def tokenizer(self) -> bytes | None:
        """Without truncation and padding."""
        return self._tokenizer

    async def rank(self, query: str, documents: Sequence[str]) -> Ranked:
        """Scores from -1 to 1. A text longer than the model reads is cut, and counted; so is the query."""
        if self._model is None:
            raise ModelNotReady(self._name, "it is not loaded")
        leave = await self._admission.enter()
        try:
            loop = asyncio.get_running_loop()
            asked, *read = await loop.run_in_executor(self._threads, self._read, [query, *documents])
            vectors = await loop.run_in_executor(self._threads, self._query, asked)
            order = sorted(range(len(read)), key=lambda at: len(read[at].ids))  # alike lengths, so little is padding
            parts = [order[at : at + TEXTS_AT_ONCE] for at in range(0, len(order), TEXTS_AT_ONCE)]
            found = await asyncio.gather(*(self._part(vectors, [read[at] for at in part]) for part in parts))
        finally:
            leave()
        scores = {
            at: score for part, some in zip(parts, found, strict=True) for at, score in zip(part, some, strict=True)
        }
        truncated = sum(each.length > self._limit for each in (asked, *read))
        if truncated:
            TRUNCATED.labels(self._name).inc(truncated)
        tokens = sum(len(each.ids) for each in (asked, *read))
        return Ranked(tuple(scores[at] for at in range(len(read))), tokens, truncated)

    async def _part(self, query: Any, texts: Sequence[Read]) -> list[float]:
        """Left by its caller, a part that has not begun never does."""
        scores: list[float] = await asyncio.get_running_loop().run_in_executor(self._threads, self._score, query, texts)
        self._liveness.progressed()
        return scores

    def _load(self) -> None:
        folder = self._locate()  # first: importing takes seconds
        self._torch = torch = torch_runtime.import_engines()
        from tokenizers import Tokenizer
        from transformers import AutoModel  # imported in its thread: seconds

        self._tokenizer = plain_tokenizer(folder)
        self._counter = Tokenizer.from_str(self._tokenizer.decode())
        dtype = torch_runtime.dtype_for(torch, self._precision)
        self._model = AutoModel.from_pretrained(folder, dtype=dtype, local_files_only=True).eval()
        torch_runtime.return_memory()

    def _read(self, texts: Sequence[str]) -> list[Read]:
        return [self._cut(encoding) for encoding in self._counter.encode_batch_fast(list(texts))]

    def _cut(self, encoding: Any) -> Read:
        """A text that is too long keeps its beginning and the last token, which closes it."""
        ids, special = list(encoding.ids), list(encoding.special_tokens_mask)
        if len(ids) > self._limit:
            ids, special = [*ids[: self._limit - 1], ids[-1]], [*special[: self._limit - 1], special[-1]]
        return Read(ids, [not each for each in special], len(encoding.ids))

    def _vectors(self, texts: Sequence[Read]) -> tuple[Any, Any]:
        """Unit vectors of all tokens (texts, tokens, dimensions), and which of them are not special (texts, tokens)."""
        torch = self._torch
        torch_runtime.use_threads(torch, 1)
        longest = max(len(each.ids) for each in texts)
        ids = torch.zeros((len(texts), longest), dtype=torch.long)
        there = torch.zeros((len(texts), longest), dtype=torch.long)
        telling = torch.zeros((len(texts), longest), dtype=torch.bool)
        for row, each in enumerate(texts):
            ids[row, : len(each.ids)] = torch.tensor(each.ids)
            there[row, : len(each.ids)] = 1
            telling[row, : len(each.ids)] = torch.tensor(each.telling)
        with torch.inference_mode():
            hidden = self._model(input_ids=ids, attention_mask=there).last_hidden_state.float()
            return torch.nn.functional.normalize(hidden, dim=2), telling

    def _query(self, query: Read) -> Any:
        vectors, telling = self._vectors([query])
        return vectors[0][telling[0]]

    def _score(self, query: Any, texts: Sequence[Read]) -> list[float]:
        if not len(query):
            return [0.0] * len(texts)
        vectors, telling = self._vectors(texts)
        likeness = (query @ vectors.transpose(1, 2)).masked_fill(~telling[:, None, :], NOTHING)
        return [float(score) for score in likeness.amax(dim=2).mean(dim=1)]
