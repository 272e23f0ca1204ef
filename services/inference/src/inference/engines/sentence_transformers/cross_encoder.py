"""Cross-encoders for rerank: folders of transformers with one label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inference.engines.sentence_transformers.pairs import PairEngine
from inference.errors import CannotLoad
from inference.protocol.engines import NO_EXTRA_FIELDS, ExtraFields, Pair, RankingResult
from inference.requests.generation_request import reject_unknown_fields


class _CrossEncoder:
    """A `PairModel` whose values are scores."""

    def __init__(self, folder: Path, torch: Any, limit: int) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self.tokenizer_folder = folder
        self.module = AutoModelForSequenceClassification.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32
        ).eval()
        if (labels := self.module.config.num_labels) != 1:
            raise CannotLoad(f"it has {labels} labels: a cross-encoder for rerank has one, how well a document fits")
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._torch, self._limit = torch, limit

    def compute(self, pairs: Sequence[Pair]) -> list[float]:
        """A score from 0 to 1 for each: the sigmoid of its logit."""
        coded = self._tokenizer(
            [query for query, _ in pairs],
            [document for _, document in pairs],
            padding=True,
            truncation="longest_first",
            max_length=self._limit,
            return_tensors="pt",
        )
        with self._torch.inference_mode():
            logits = self.module(**coded).logits[:, 0].float()
        return [float(score) for score in self._torch.sigmoid(logits)]


class CrossEncoderRank(PairEngine[float]):
    """A `RerankEngine` over a cross-encoder folder."""

    async def rank(self, query: str, documents: Sequence[str], extra: ExtraFields = NO_EXTRA_FIELDS) -> RankingResult:
        """Scores from 0 to 1. A pair longer than the model reads is cut, and counted."""
        reject_unknown_fields(extra)
        computed = await self.work([(query, document) for document in documents])
        return RankingResult(computed.values, computed.tokens, computed.truncated)

    def load(self, folder: Path, torch: Any) -> _CrossEncoder:
        """In float32."""
        return _CrossEncoder(folder, torch, self.limit)

    def scores(self, value: float) -> Sequence[float]:
        """Itself."""
        return (value,)
