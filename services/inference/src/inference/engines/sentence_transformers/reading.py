"""Reading by a model folder in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from contracts.models.reading import PairReading, PassageReading, Reads, Span
from inference.catalog.learnt.lora import Matrices
from inference.engines.sentence_transformers.beside import merge
from inference.engines.sentence_transformers.pairs import Computed, PairEngine
from inference.engines.sentence_transformers.reading_models import PairOutput, ReadingModel, open_reading
from inference.protocol.engines import FeatureResult, Pair, Priority, ReadingResult
from inference.queueing.admission import Admission


class FolderReading(PairEngine[PairOutput]):
    """A `ReadingEngine` over a folder: what it reads is what its head was trained for."""

    def __init__(
        self,
        model: str,
        locate: Callable[[], Path],
        admission: Admission,
        *,
        lora: Matrices | None = None,
        **options: Any,
    ) -> None:
        """As `PairEngine`; `lora` becomes a part of the encoder."""
        super().__init__(model, locate, admission, **options)
        self._lora = lora

    def reads(self) -> frozenset[Reads]:
        """By the folder's files."""
        return frozenset() if self.model is None else self.model.reads

    async def read(
        self, question: str, passages: Sequence[str], priority: Priority = "query"
    ) -> ReadingResult[PassageReading]:
        """Each with the question in one input."""
        return _readings(await self._read(question, passages, priority))

    def has_features(self) -> bool:
        """Where the model is one of our own form."""
        return self.model is not None and bool(self.model.has_features)

    async def read_features(self, question: str, passages: Sequence[str], priority: Priority) -> FeatureResult:
        """As `FeatureReading` says: the encoder's first token and the mean of all."""
        computed = await self._read(question, passages, priority)
        rows = [one.features for one in computed.values if one.features is not None]
        return FeatureResult(_readings(computed), np.array(rows, dtype=np.float32))

    async def _read(self, question: str, passages: Sequence[str], priority: Priority) -> Computed[PairOutput]:
        return await self.work([(question, passage) for passage in passages], bulk=priority == "bulk")

    async def entail(self, pairs: Sequence[Pair], priority: Priority = "query") -> ReadingResult[PairReading]:
        """Each pair in one input, in the order of the model's training."""
        turned = self.model is not None and self.model.sentence_first
        given = [(sentence, premise) if turned else (premise, sentence) for premise, sentence in pairs]
        computed = await self.work(given, bulk=priority == "bulk")
        readings = tuple(PairReading.of(one.supported or 0.0, one.contradicted) for one in computed.values)
        return ReadingResult(readings, computed.tokens, computed.truncated)

    def load(self, folder: Path, torch: Any) -> ReadingModel:
        """In float32."""
        opened = open_reading(folder, torch, self.limit)
        if self._lora is not None:
            merge(opened.module, self._lora, torch)
        return opened

    def scores(self, value: PairOutput) -> Sequence[float]:
        """All chances that it gives."""
        chances = (value.answers, value.relevance, value.supported, value.contradicted)
        return [chance for chance in chances if chance is not None]


def _readings(computed: Computed[PairOutput]) -> ReadingResult[PassageReading]:
    readings = tuple(
        PassageReading(
            answers=one.answers,
            span=Span(start=one.span[0], end=one.span[1]) if one.span else None,
            relevance=one.relevance,
        )
        for one in computed.values
    )
    return ReadingResult(readings, computed.tokens, computed.truncated)
