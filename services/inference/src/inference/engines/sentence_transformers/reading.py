"""Reading by a model folder in this process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contracts.models.reading import PairReading, PassageReading, Reads, Span
from inference.engines.sentence_transformers.pairs import PairEngine
from inference.engines.sentence_transformers.reading_models import PairOutput, ReadingModel, open_reading
from inference.protocol.engines import Pair, Priority, ReadingResult


class FolderReading(PairEngine[PairOutput]):
    """A `ReadingEngine` over a folder: what it reads is what its head was trained for."""

    def reads(self) -> frozenset[Reads]:
        """By the folder's files."""
        return frozenset() if self.model is None else self.model.reads

    async def read(
        self, question: str, passages: Sequence[str], priority: Priority = "query"
    ) -> ReadingResult[PassageReading]:
        """Each with the question in one input."""
        computed = await self.work([(question, passage) for passage in passages], bulk=priority == "bulk")
        readings = tuple(
            PassageReading(
                answers=one.answers,
                span=Span(start=one.span[0], end=one.span[1]) if one.span else None,
                relevance=one.relevance,
            )
            for one in computed.values
        )
        return ReadingResult(readings, computed.tokens, computed.truncated)

    async def entail(self, pairs: Sequence[Pair], priority: Priority = "query") -> ReadingResult[PairReading]:
        """Each pair in one input, in the order of the model's training."""
        turned = self.model is not None and self.model.sentence_first
        given = [(sentence, premise) if turned else (premise, sentence) for premise, sentence in pairs]
        computed = await self.work(given, bulk=priority == "bulk")
        readings = tuple(PairReading.of(one.supported or 0.0, one.contradicted) for one in computed.values)
        return ReadingResult(readings, computed.tokens, computed.truncated)

    def load(self, folder: Path, torch: Any) -> ReadingModel:
        """In float32."""
        return open_reading(folder, torch, self.limit)

    def scores(self, value: PairOutput) -> Sequence[float]:
        """All chances that it gives."""
        chances = (value.answers, value.relevance, value.supported, value.contradicted)
        return [chance for chance in chances if chance is not None]
